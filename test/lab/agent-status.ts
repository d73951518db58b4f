import type { DeviceStatus } from '../../agent/src/lifecycle/status.ts';
import type { Vm } from './vm.ts';

// Python's lower half of its sockets: the upper one takes ten times as long to load.
const ASK = `
import _socket, os
agent = _socket.socket(_socket.AF_UNIX)
agent.settimeout(20)
agent.connect("/var/lib/ares-agent/control.sock")
agent.sendall(b'{"command":"status"}\\n')
while data := agent.recv(65536): os.write(1, data)`;

/**
 * The status of the running agent, asked as `ares-agent status` does: that program takes an emulated machine seconds
 * to start, and a case asks again and again.
 *
 * @throws while no agent runs
 */
export async function askAgentStatus(vm: Vm): Promise<DeviceStatus> {
  const said = JSON.parse(await vm.sh(`python3 -SE - <<'END'${ASK}\nEND`)) as {
    ok: boolean;
    value: DeviceStatus;
  };
  if (!said.ok) throw new Error(`the agent gives no status: ${JSON.stringify(said)}`);
  return said.value;
}
