// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A DHT11 or DHT22 on a GPIO chip of one line, for the kernel's own driver dht11.
 *
 * The driver measures the time between edges with a clock. In an emulated machine real edges of 26 or 70 us cannot be
 * timed, so the driver is built to ask dhtsim_boottime_ns(), which stands at the moment of an edge while one is sent.
 * Everything else is the driver's: start pulse, edges, decoding, checksum, time-out, the values it keeps for 2 s.
 *
 * Parameters, changed at any time in /sys/module/dhtsim/parameters:
 *   temp10, hum10  tenths of degrees (may be negative) and percent
 *   type           22 or 11
 *   fault          0 none, 1 bad checksum, 2 no answer, 3 stops half-way, 4 a line stuck at low (zeros)
 *   sent           frames begun so far
 */
#include <linux/gpio/driver.h>
#include <linux/gpio/machine.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/irqdomain.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

static int temp10 = 215;
module_param(temp10, int, 0644);
static int hum10 = 603;
module_param(hum10, int, 0644);
static int type = 22;
module_param(type, int, 0644);
static int fault;
module_param(fault, int, 0644);
static int sent;
module_param(sent, int, 0444);

enum { FAULT_NONE, FAULT_CHECKSUM, FAULT_SILENT, FAULT_HALF, FAULT_ZEROS };

/* The line idles high by its pull-up. */
static int level = 1;
static int direction = GPIO_LINE_DIRECTION_IN;
/* The moment of the edge that is being sent; 0 when none is. */
static u64 edge_ns;

u64 dhtsim_boottime_ns(void);
u64 dhtsim_boottime_ns(void)
{
	u64 at = READ_ONCE(edge_ns);

	return at ? at : ktime_get_boottime_ns();
}
EXPORT_SYMBOL_GPL(dhtsim_boottime_ns);

static void fill_frame(u8 frame[5])
{
	u16 hum = hum10;
	u16 temp = abs(temp10) | (temp10 < 0 ? 0x8000 : 0);

	if (type == 11) {
		hum = (hum10 / 10) << 8;
		temp = (temp10 / 10) << 8;
	}
	if (fault == FAULT_ZEROS)
		hum = temp = 0;
	frame[0] = hum >> 8;
	frame[1] = hum & 0xff;
	frame[2] = temp >> 8;
	frame[3] = temp & 0xff;
	frame[4] = frame[0] + frame[1] + frame[2] + frame[3];
	if (fault == FAULT_CHECKSUM)
		frame[4] ^= 0x01;
}

static struct gpio_chip chip;

static void send_edge(int value, u64 after_us)
{
	WRITE_ONCE(edge_ns, edge_ns + after_us * NSEC_PER_USEC);
	WRITE_ONCE(level, value);
	generic_handle_domain_irq_safe(chip.irq.domain, 0);
}

/* Datasheet of the AM2302: answer 80 us low and 80 us high, then each bit 50 us low and 26 or 70 us high. */
static void send_frame(struct work_struct *work)
{
	u8 frame[5];
	int high_us = 80;
	int bit;

	sent++;
	if (fault == FAULT_SILENT)
		return;
	fill_frame(frame);
	WRITE_ONCE(edge_ns, ktime_get_boottime_ns());
	send_edge(0, 30);
	send_edge(1, 80);
	for (bit = 0; bit < (fault == FAULT_HALF ? 20 : 40); bit++) {
		send_edge(0, high_us);
		send_edge(1, 50);
		high_us = (frame[bit / 8] >> (7 - bit % 8)) & 1 ? 70 : 26;
	}
	send_edge(0, high_us);
	send_edge(1, 50);
	WRITE_ONCE(edge_ns, 0);
}
static DECLARE_WORK(frame_work, send_frame);

static int get_direction(struct gpio_chip *gc, unsigned int offset)
{
	return direction;
}

static int direction_input(struct gpio_chip *gc, unsigned int offset)
{
	direction = GPIO_LINE_DIRECTION_IN;
	level = 1;
	return 0;
}

static int direction_output(struct gpio_chip *gc, unsigned int offset, int value)
{
	direction = GPIO_LINE_DIRECTION_OUT;
	level = value;
	return 0;
}

static int get(struct gpio_chip *gc, unsigned int offset)
{
	return READ_ONCE(level);
}

static void set(struct gpio_chip *gc, unsigned int offset, int value)
{
	level = value;
}

static void irq_mask(struct irq_data *data)
{
	gpiochip_disable_irq(&chip, irqd_to_hwirq(data));
}

/* The driver listens: the sensor answers the start pulse. */
static void irq_unmask(struct irq_data *data)
{
	gpiochip_enable_irq(&chip, irqd_to_hwirq(data));
	schedule_work(&frame_work);
}

static int irq_set_type(struct irq_data *data, unsigned int edges)
{
	return edges == IRQ_TYPE_EDGE_BOTH ? 0 : -EINVAL;
}

static const struct irq_chip line_irq = {
	.name = "dhtsim",
	.irq_mask = irq_mask,
	.irq_unmask = irq_unmask,
	.irq_set_type = irq_set_type,
	.flags = IRQCHIP_IMMUTABLE,
	GPIOCHIP_IRQ_RESOURCE_HELPERS,
};

static struct gpio_chip chip = {
	.label = "dhtsim",
	.owner = THIS_MODULE,
	.base = -1,
	.ngpio = 1,
	.get_direction = get_direction,
	.direction_input = direction_input,
	.direction_output = direction_output,
	.get = get,
	.set = set,
};

static struct gpiod_lookup_table lookup = {
	.dev_id = "dht11",
	.table = {
		GPIO_LOOKUP("dhtsim", 0, NULL, GPIO_ACTIVE_HIGH),
		{ }
	},
};

static struct platform_device *sensor;

static int __init dhtsim_init(void)
{
	int ret;

	gpio_irq_chip_set_chip(&chip.irq, &line_irq);
	chip.irq.default_type = IRQ_TYPE_NONE;
	chip.irq.handler = handle_simple_irq;
	ret = gpiochip_add_data(&chip, NULL);
	if (ret)
		return ret;
	gpiod_add_lookup_table(&lookup);
	sensor = platform_device_register_simple("dht11", PLATFORM_DEVID_NONE, NULL, 0);
	if (!IS_ERR(sensor))
		return 0;
	gpiod_remove_lookup_table(&lookup);
	gpiochip_remove(&chip);
	return PTR_ERR(sensor);
}

static void __exit dhtsim_exit(void)
{
	platform_device_unregister(sensor);
	cancel_work_sync(&frame_work);
	gpiod_remove_lookup_table(&lookup);
	gpiochip_remove(&chip);
}

module_init(dhtsim_init);
module_exit(dhtsim_exit);
MODULE_DESCRIPTION("A simulated DHT11 or DHT22 for the kernel's driver");
MODULE_LICENSE("GPL");
