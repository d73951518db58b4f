#!/bin/sh
# Makes safe every output that the agent has written down as in use, past agent, guard and drivers: for systemd's
# ExecStopPost, when all of them may be gone. Needs no Node and no agent. What is gone cannot be written, and that is no
# reason to leave another output on.
#   outputs-safe.sh STATE_DIR
set -u
exec >/dev/null 2>&1
record=$1/outputs.json
read -r boot </proc/sys/kernel/random/boot_id || exit 0
[ -r "$record" ] || exit 0
# A board that was restarted has nothing on, and its kernel may have given the lines other names.
grep -q "\"kernelBoot\":\"$boot\"" "$record" || exit 0

{
  tr '{' '\n' <"$record"
  echo
} | sed -n 's/.*"path":"\([^"]*\)","safeValue":"\([01]\)".*/\2 \1/p' | {
  while read -r value path; do
    # See guard.sh: a FIFO belongs to a line-holder.sh, which is replaced if it is gone.
    if [ -p "$path" ]; then
      echo "$value" 1<>"$path"
      sh "${path%/*/value}/line-holder.sh" "${path%/value}" "$value" </dev/null &
    else echo "$value" >"$path"; fi
  done
  wait
}
exit 0
