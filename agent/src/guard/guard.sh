#!/bin/sh
# Writes outputs to their safe level when a lease ends or when the agent is gone, however it went.
# One line in, one line out, fields separated by tabs:
#   protect ID PATH VALUE        write VALUE now, and again at the end of standard input
#   arm     ID SECONDS PATH VALUE  write VALUE after SECONDS; a second arm of ID replaces the timer
#   disarm  ID                   end the timer of ID
#   release ID                   forget ID
# Answers: protected | armed | disarmed | released, or failed, and the ID. IDs are letters, digits and _.
# A PATH that is a FIFO belongs to a line-holder.sh, which is told and then waited for, or replaced if it is gone.
# All of its processes are of one group, so that timers that outlive a killed guard can be ended.
set -u
trap '' INT HUP
trap 'exit 0' TERM
# Also when the shell gives up by itself, e.g. because it cannot fork.
trap all_safe EXIT
ids=''
T=$(printf '\t')

# Never waits, needs no new process: opened for both, a FIFO without a reader takes the value too.
tell() { # PATH VALUE
  if [ -p "$1" ]; then echo "$2" 2>/dev/null 1<>"$1"; else echo "$2" 2>/dev/null >"$1"; fi
}
confirm() { [ ! -p "$1" ] || sh "${1%/*/value}/line-holder.sh" "${1%/value}" "$2" >/dev/null 2>&1; }
write() { tell "$1" "$2" && confirm "$1" "$2"; }

all_safe() {
  # All are told before any is waited for.
  for id in $ids; do eval "tell \"\$path_$id\" \"\$value_$id\""; done
  for id in $ids; do eval "confirm \"\$path_$id\" \"\$value_$id\" &"; done
  # A timer left behind would cut short a run of the agent's next life.
  for id in $ids; do eval "end_timer \"\${timer_$id:-}\""; done
  wait
}

remember() { # ID PATH VALUE
  case " $ids " in *" $1 "*) ;; *) ids="$ids $1" ;; esac
  eval "path_$1=\$2; value_$1=\$3"
}

# The old timer is gone before the answer is given: it cannot write after the output was switched on again.
# Not by TERM: a child that was only just forked would still run the trap of this shell.
end_timer() { [ -z "$1" ] || { kill -USR1 "$1" 2>/dev/null; wait "$1" 2>/dev/null; }; }

# Only being told to end keeps a timer from writing: one whose sleep cannot start or is killed writes at once.
start_timer() { # SECONDS PATH VALUE
  (
    sleeper='' ended=''
    trap 'ended=1; [ -z "$sleeper" ] || kill "$sleeper" 2>/dev/null' USR1
    trap '[ -n "$ended" ] || write "$2" "$3"' EXIT
    sleep "$1" & sleeper=$!
    [ -z "$ended" ] || kill "$sleeper"
    wait "$sleeper"
  ) </dev/null >/dev/null 2>&1 &
}

while IFS="$T" read -r verb id a b c; do
  case "$id" in '' | *[!A-Za-z0-9_]*) echo "failed$T$id"; continue ;; esac
  timer=''
  eval "timer=\${timer_$id:-}"
  case "$verb" in
    protect)
      remember "$id" "$a" "$b"
      write "$a" "$b" && echo "protected$T$id" || echo "failed$T$id" ;;
    arm)
      [ -w "$b" ] || { echo "failed$T$id"; continue; }
      remember "$id" "$b" "$c"
      start_timer "$a" "$b" "$c"
      eval "timer_$id=$!"
      end_timer "$timer"
      echo "armed$T$id" ;;
    disarm | release)
      end_timer "$timer"
      eval "timer_$id=''"
      if [ "$verb" = release ]; then
        kept=''
        for other in $ids; do [ "$other" = "$id" ] || kept="$kept $other"; done
        ids=$kept
        echo "released$T$id"
      else echo "disarmed$T$id"; fi ;;
    *) echo "failed$T$id" ;;
  esac
done
