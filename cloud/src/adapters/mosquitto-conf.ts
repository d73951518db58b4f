/** Where Mosquitto finds its files and where it listens. */
export interface MosquittoSettings {
  /** Folder of its files, absolute. The broker runs as the user who owns it: the keys are for him alone. */
  readonly folder: string;
  /** Name of that user; only a broker that is started by root reads it. */
  readonly user: string;
  /** The listener for devices and apps. */
  readonly devices: { readonly bind: string; readonly port: number };
  /** The listener for the cloud's processes: on a private address. */
  readonly services: { readonly bind: string; readonly port: number };
  /** Default: Debian's. */
  readonly dynamicSecurity?: string;
}

/** Names inside the folder. */
export const mosquittoFiles = {
  config: 'mosquitto.conf',
  pid: 'mosquitto.pid',
  root: 'ca.pem',
  chain: 'server.pem',
  key: 'server.key',
  lists: 'crl.pem',
  deviceAcl: 'acl',
  serviceAcl: 'service-acl',
  servicePasswords: 'service-passwords',
  /** Written once, afterwards the broker's own. */
  dynamicSecurity: 'dynamic-security.json',
} as const;

const DEBIAN_PLUGIN = '/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so';
/** A signed message of 64 KiB, its topic and the rest of its header. */
const LARGEST_PACKET_BYTES = 67_584;

/** The configuration of Mosquitto 2.0.11 as Ares needs it. */
export function mosquittoConf(settings: MosquittoSettings): string {
  const { folder, user, devices, services, dynamicSecurity = DEBIAN_PLUGIN } = settings;
  const file = (name: keyof typeof mosquittoFiles) => `${folder}/${mosquittoFiles[name]}`;
  const tls = `cafile ${file('root')}
certfile ${file('chain')}
keyfile ${file('key')}
crlfile ${file('lists')}
require_certificate true
tls_version tlsv1.2
allow_anonymous false
allow_zero_length_clientid false`;
  return `# Mosquitto 2.0.11 for Ares. The files it names are written by the cloud's process "broker", which sends SIGHUP.
per_listener_settings true
user ${user}
pid_file ${file('pid')}

# Nothing in Ares trusts a broker to keep a message: devices send again what was not acknowledged.
persistence false
# A retained message would outlive the rights of its sender.
retain_available false
max_packet_size ${LARGEST_PACKET_BYTES}
max_keepalive 600
max_inflight_messages 20
max_queued_messages 1000
max_queued_bytes 4194304
persistent_client_expiration 1h
set_tcp_nodelay true

# Who comes and goes is heard by the process that manages this broker.
connection_messages true
log_dest stderr
log_dest topic
log_type error
log_type warning
log_type notice

# Devices and apps: the name in the certificate is the user and the client id.
listener ${devices.port} ${devices.bind}
${tls}
use_identity_as_username true
use_username_as_clientid true
acl_file ${file('deviceAcl')}
# Rights of apps, which come and go without a SIGHUP. What no role names is left to the acl_file.
plugin ${dynamicSecurity}
plugin_opt_config_file ${file('dynamicSecurity')}

# The cloud's own processes: a certificate and a login of their own, so that no device has a way in.
listener ${services.port} ${services.bind}
${tls}
password_file ${file('servicePasswords')}
acl_file ${file('serviceAcl')}
`;
}

/** Everything is refused that no role grants; then the `acl_file` is asked. */
export function emptyDynamicSecurity(): string {
  const no = {
    publishClientSend: false,
    publishClientReceive: false,
    subscribe: false,
    unsubscribe: false,
  };
  return `${JSON.stringify({ defaultACLAccess: no, clients: [], groups: [], roles: [] }, null, 2)}\n`;
}
