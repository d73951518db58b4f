#!/bin/sh
# Keeps one GPIO line an output, by gpioset of libgpiod, and outlives whoever started it: the kernel gives a line of
# the character device back as soon as the process that asked for it ends.
#   line-holder.sh FOLDER 0|1      brings the line to the level, by the holder at work or by a new one; 0 when it is held
#   line-holder.sh FOLDER release  ends the holder, gives the line back and removes FOLDER: nobody starts another by it
# FOLDER/line   API CHIP OFFSET SAFE TOOL: major version of libgpiod's tools, where the line is, level to fall back to
# FOLDER/value  FIFO for levels, one a line; the holder has it open for both, so that no writer ever waits
# FOLDER/state  LEVEL HOLDER SETTER: what is held and the processes that do; "-" while it changes, "failed"
# FOLDER/error  what gpioset complained about last
# FOLDER/lock   locked while a holder lives
# A change of level is old -> pull -> new. The pull is one of the two, so no third level is ever on the line; a level
# that is held already is never set again.
set -u
case $0 in /*) script=$0 ;; *) script=$PWD/$0 ;; esac
cd "$1" || exit 1

read_state() {
  level='' holder=0 setter=0
  { read -r level holder setter <state; } 2>/dev/null
  [ -n "$level" ]
}
lives() { ! flock -n 9 9>>lock; }

# Asks the kernel: the process has a request of GPIO lines open, which it gets only with the line at its level.
has_line() { # SETTER
  [ "$1" -gt 1 ] && case $(readlink "/proc/$1/fd/"* 2>/dev/null) in *anon_inode:gpio*) ;; *) false ;; esac
}
# Of a process that another holder started.
holds() { # SETTER LEVEL
  has_line "$1" &&
    case "$(tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline")" in *"gpioset "*" $offset=$2 "*) ;; *) false ;; esac
}

wait_for() { # LEVEL
  tries=0
  while [ $tries -lt 60 ]; do
    read_state && case $level in
      "$1") has_line "$setter" && return 0 ;;
      failed) return 1 ;;
    esac
    tries=$((tries + 1))
    sleep 0.01
  done
  return 1
}

bring_to() { # LEVEL
  # Twice: of two that start a holder at once, one finds it there.
  for _ in 1 2; do
    if lives; then
      echo "$1" 1<>value
      wait_for "$1" && return 0
      read_state && [ "$level" != failed ] && end_hung
    fi
    # A former verdict. A line that is held stays named until the next holder has taken it over.
    read_state && [ "$level" = failed ] && rm -f state
    setsid sh "$script" "$PWD" "$1" serve </dev/null >/dev/null 2>&1 &
    wait_for "$1" && return 0
    read_state && [ "$level" = failed ] && return 1
  done
  return 1
}

# Its gpioset lives on.
end_hung() {
  [ "$holder" -gt 1 ] && lives && kill -KILL "$holder"
  tries=0
  while lives && [ $tries -lt 60 ]; do tries=$((tries + 1)); sleep 0.01; done
}

release() {
  if lives; then
    echo end 1<>value
    tries=0
    while lives && [ $tries -lt 60 ]; do tries=$((tries + 1)); sleep 0.01; done
    read_state && end_hung
  fi
  # What a holder that was killed has left behind.
  read_state && { holds "$setter" 0 || holds "$setter" 1; } && kill -KILL "$setter"
  folder=$PWD
  cd / && rm -rf "$folder"
}

let_go() {
  [ "$setter" -gt 1 ] || return 0
  kill -KILL "$setter" 2>/dev/null
  # Gone, not only told to: two cannot have one line.
  if [ -n "$keeper" ]; then wait "$keeper"
  else while kill -0 "$setter" 2>/dev/null; do sleep 0.01; done; fi
  setter=0 keeper=''
}

# The way to a level is short: nothing is started before gpioset itself.
set_level() { # LEVEL
  if [ "$now" != "$1" ] || ! kill -0 "$setter" 2>/dev/null; then
    now=''
    echo "- $$ $setter" >state
    let_go
    case $api in
      1) set -- "$1" --mode=signal "$chip" ;;
      *) set -- "$1" --consumer ares-agent --chip "$chip" ;;
    esac
    wanted=$1
    shift
    (
      exec 9>&-
      trap - TERM
      "$tool" "$@" "$offset=$wanted" 3>&- 4>&- </dev/null >/dev/null 2>error &
      echo $! >&4
      wait $!
      echo "died $!" >&3
    ) &
    keeper=$!
    read -r setter <&4
    set -- "$wanted"
    tries=0
    until has_line "$setter"; do
      tries=$((tries + 1))
      [ $tries -lt 20 ] || sleep 0.02
      if [ $tries -gt 120 ] || ! kill -0 "$keeper" 2>/dev/null; then
        let_go
        echo "failed $$ 0" >state
        return 1
      fi
    done
    now=$1
  fi
  echo "$1 $$ $setter" >state
}

serve() { # LEVEL
  exec 9>>lock
  # Not at once: somebody may be looking whether a holder lives.
  flock -w 0.2 9 || exit 0
  trap '' HUP INT QUIT PIPE
  ended=''
  # Ends the "read" below too.
  trap 'ended=1' TERM
  umask 077
  [ -p value ] || { rm -rf value; mkfifo value || exit 1; }
  rm -f born
  mkfifo born || exit 1
  exec 3<>value 4<>born
  rm born
  keeper='' now=''
  read_state || setter=0
  # The line of a holder that was killed: taken over as it is where it is right, ended where it is not.
  if holds "$setter" "$1"; then now=$1
  else holds "$setter" 0 || holds "$setter" 1 || setter=0; fi
  set_level "$1" || exit 1
  while [ -z "$ended" ] && read -r word which <&3; do
    case $word in
      0 | 1) set_level "$word" ;;
      # gpioset ended by itself: whatever was wanted before, nobody saw to it.
      died) [ "$which" != "$setter" ] || { keeper='' setter=0 now=''; set_level "$safe"; } ;;
      again) set_level "$safe" ;;
      end) let_go; rm -f state; exit 0 ;;
    esac
    { read -r level holder which <state; } 2>/dev/null
    if [ "$level" = failed ]; then { sleep 1; echo again >&3; } 9>&- & fi
  done
  # Held on, at its safe level, by the gpioset that is left behind.
  set_level "$safe"
}

read -r api chip offset safe tool <line || exit 1
case "$2 ${3:-}" in
  'release ') release ;;
  [01]' serve') serve "$2" ;;
  [01]' ') bring_to "$2" ;;
  *) exit 2 ;;
esac
