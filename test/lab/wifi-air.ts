import type { Vm } from './vm.ts';

/** An access point in the guest. */
export interface AccessPoint {
  readonly ssid: string;
  /** Absent: an open network. */
  readonly password?: string;
  /** Whether the cloud on the host is reached over it. */
  readonly cloud: boolean;
  /** Default true: it gives addresses. */
  readonly addresses?: boolean;
}

/**
 * Simulated radios: NetworkManager has wlan0, each access point another one in a network namespace of its own, and
 * the guest's only way to the host is moved behind those that have `cloud`. What the guest says to its own
 * 127.0.0.1 (see `VmOptions.ports`) goes over the air from then on.
 */
export async function startAir(vm: Vm, points: readonly AccessPoint[]): Promise<void> {
  await vm.sh(`
    modprobe mac80211_hwsim radios=${points.length + 1}
    udevadm settle
    # The way to the host: a namespace that every access point with a cloud has a wire to.
    ip netns add world
    ip link set eth0 netns world
    ip netns exec world sh -ec '
      ip link set lo up; ip link set eth0 up
      ip address add 10.0.2.15/24 dev eth0
      sysctl -qw net.ipv4.ip_forward=1
      nft -f - <<END
      table ip world {
        chain post { type nat hook postrouting priority 100; oifname "eth0" masquerade; }
      }
END'
    nft -f - <<'END'
      table ip air {
        chain post { type nat hook postrouting priority 100; oifname "wlan0" ip saddr 127.0.0.1 masquerade; }
      }
END
    sysctl -qw net.ipv4.conf.all.route_localnet=1
  `);
  for (const [at, point] of points.entries()) await startAccessPoint(vm, at + 1, point);
  await vm.sh(`
    mkdir -p /etc/NetworkManager/conf.d
    # How long NetworkManager waits for a network that is not there, and for an address: 25 and 45 s by itself.
    cat >/etc/NetworkManager/conf.d/lab-air.conf <<'END'
[main]
no-auto-default=*
[device]
wifi.scan-rand-mac-address=no
[connection]
802-1x.auth-timeout=12
ipv4.dhcp-timeout=12
END
    systemctl start NetworkManager
    for try in $(seq 100); do nmcli -g GENERAL.STATE device show wlan0 2>/dev/null | grep -q '^30' && exit 0; sleep 0.2; done
    nmcli device >&2; exit 1`);
}

async function startAccessPoint(vm: Vm, at: number, point: AccessPoint): Promise<void> {
  const { ssid, password, cloud, addresses = true } = point;
  const hex = Buffer.from(ssid, 'utf8').toString('hex');
  const security =
    password === undefined
      ? ''
      : `wpa=2\nwpa_key_mgmt=WPA-PSK\nrsn_pairwise=CCMP\nwpa_passphrase=${password}`;
  await vm.sh(`
    ip netns add ap${at}
    iw phy "phy$(cat /sys/class/net/wlan${at}/phy80211/index)" set netns name ap${at}
    cat >/run/ap${at}.conf <<'END'
interface=wlan${at}
driver=nl80211
ssid2=${hex}
hw_mode=g
channel=${[1, 6, 11][at % 3]}
${security}
END
    ip netns exec ap${at} sh -ec '
      ip link set lo up
      ip address add 10.3${at}.0.1/24 dev wlan${at}
      sysctl -qw net.ipv4.ip_forward=1'
    ip netns exec ap${at} hostapd -B -P /run/ap${at}.pid /run/ap${at}.conf
    ${
      addresses
        ? `ip netns exec ap${at} dnsmasq --conf-file=/dev/null --port=0 --interface=wlan${at} --bind-interfaces \\
             --dhcp-range=10.3${at}.0.10,10.3${at}.0.99,1h --pid-file=/run/dhcp${at}.pid --dhcp-leasefile=/run/dhcp${at}.leases`
        : ''
    }
    ${cloud ? wireTo(at) : ''}`);
}

/** From the access point's namespace to the one that has the way to the host. */
function wireTo(at: number): string {
  return `
    ip link add world${at} netns ap${at} type veth peer name ap${at} netns world
    ip netns exec world sh -ec 'ip address add 10.4${at}.0.1/24 dev ap${at}; ip link set ap${at} up; ip route add 10.3${at}.0.0/24 via 10.4${at}.0.2'
    ip netns exec ap${at} sh -ec 'ip address add 10.4${at}.0.2/24 dev world${at}; ip link set world${at} up; ip route add default via 10.4${at}.0.1'`;
}

/** Name of the network that the guest's station is on; `undefined` when on none. */
export async function currentNetwork(vm: Vm): Promise<string | undefined> {
  const name = await vm.sh("iw dev wlan0 link | sed -n 's/^\\s*SSID: //p'");
  return name.trim() === '' ? undefined : name.trim();
}

/** Names of NetworkManager's Wi-Fi profiles. */
export async function profiles(vm: Vm): Promise<readonly string[]> {
  const rows = await vm.sh('nmcli -t -f NAME,TYPE connection show');
  return rows
    .split('\n')
    .filter((row) => row.endsWith(':802-11-wireless'))
    .map((row) => row.slice(0, row.lastIndexOf(':')));
}
