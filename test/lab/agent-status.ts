import type { DeviceStatus } from '../../agent/src/lifecycle/status.ts';
import type { Vm } from './vm.ts';

// Perl without its modules starts in no time, and this is asked in loops. AF_UNIX and SOCK_STREAM are 1 on Linux.
const ASK = `perl -e '
  alarm 20;
  socket(my $agent, 1, 1, 0) or die "$!\\n";
  connect($agent, pack("Sa108", 1, "/var/lib/ares-agent/control.sock")) or die "$!\\n";
  syswrite($agent, qq({"command":"status"}\\n));
  print $data while sysread($agent, $data, 65536);'`;

/**
 * The status of the running agent, asked as `ares-agent status` does: that program takes an emulated machine seconds
 * to start, and a case asks again and again.
 *
 * @throws while no agent runs
 */
export async function askAgentStatus(vm: Vm): Promise<DeviceStatus> {
  const said = JSON.parse(await vm.sh(ASK)) as {
    ok: boolean;
    value: DeviceStatus;
  };
  if (!said.ok) throw new Error(`the agent gives no status: ${JSON.stringify(said)}`);
  return said.value;
}
