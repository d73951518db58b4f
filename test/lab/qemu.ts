import type { Architecture } from './layers/apt.ts';

/** What a VM is started from. */
export interface Machine {
  readonly architecture: Architecture;
  /** Folder of `vmlinuz` and `initrd.gz`. */
  readonly image: string;
  /** A raw or qcow2 file. It is never written: what a VM writes goes into a file of its own above it. */
  readonly disk: string;
  /** What the saved machine had in its memory; without it the machine boots. */
  readonly memory?: string;
}

export interface QemuOptions {
  readonly machine: Machine;
  /** Folder of the sockets, the console's log and the shared folder. */
  readonly folder: string;
  readonly disk: string;
  /** File of the memory to go on from; without it the machine boots. */
  readonly memory: string | undefined;
  /** TCP ports of the host's loopback that the guest reaches at 10.0.2.100; it reaches nothing else. */
  readonly ports: readonly number[];
}

/** Program and arguments. The devices are always the same ones, because a saved memory fits only its own machine. */
export function qemuCommand(options: QemuOptions): readonly [string, ...string[]] {
  const { machine, folder } = options;
  const arm = machine.architecture === 'arm64';
  const forwards = options.ports.map(
    (port) => `,guestfwd=tcp:10.0.2.100:${port}-cmd:busybox nc 127.0.0.1 ${port}`,
  );
  return [
    // A killed test run leaves no machine behind.
    'setpriv',
    ...['--pdeathsig', 'KILL', arm ? 'qemu-system-aarch64' : 'qemu-system-x86_64'],
    // Never KVM: that /dev/kvm is there does not mean that it works.
    ...(arm ? ['-M', 'virt', '-cpu', 'cortex-a72'] : ['-M', 'pc', '-cpu', 'max']),
    ...['-accel', 'tcg,thread=multi', '-smp', '2', '-m', '512'],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-kernel', `${machine.image}/vmlinuz`, '-initrd', `${machine.image}/initrd.gz`],
    ...['-append', kernelLine(arm)],
    ...['-serial', `file:${folder}/console.log`],
    ...['-drive', `if=none,id=root,file=${options.disk},format=qcow2,cache=unsafe`],
    ...['-device', 'virtio-blk-pci,drive=root', '-device', 'virtio-rng-pci', '-device', 'virtio-serial-pci'],
    ...['-chardev', `socket,id=lab,path=${folder}/lab.sock,server=on,wait=off`],
    ...['-device', 'virtserialport,chardev=lab,name=lab.0'],
    ...['-chardev', `socket,id=phone,path=${folder}/phone.sock,server=on,wait=off`],
    ...['-device', 'virtserialport,chardev=phone,name=phone.0'],
    ...['-fsdev', `local,id=share,path=${folder}/share,security_model=none,multidevs=remap`],
    ...['-device', 'virtio-9p-pci,fsdev=share,mount_tag=share'],
    ...['-netdev', `user,id=net,restrict=on,ipv6=off${forwards.join('')}`],
    ...['-device', 'virtio-net-pci,netdev=net,romfile=,mac=52:54:00:12:34:56'],
    ...['-qmp', `unix:${folder}/qmp.sock,server=on,wait=off`],
    ...(options.memory === undefined ? [] : ['-incoming', `exec:cat '${options.memory}'`]),
  ];
}

function kernelLine(arm: boolean): string {
  const common = 'quiet loglevel=4 panic=-1 net.ifnames=0 random.trust_cpu=on systemd.show_status=0';
  return arm
    ? `console=ttyAMA0 ${common}`
    : `console=ttyS0 mitigations=off tsc=reliable no_timer_check ${common}`;
}
