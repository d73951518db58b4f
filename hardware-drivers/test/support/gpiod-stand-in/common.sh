# What the four tools of the stand-in share. $BENCH: folder of a pretended chip. In it: version; label; pullN (level of
# a line that nobody drives); ownerN ("PID LEVEL" of who asked for the line; void when the process is gone).
BENCH=${0%/*}
version=$(cat "$BENCH/version")
case ${1:-} in --version) echo "${0##*/} (libgpiod) v$version"; exit 0 ;; esac
name=gpiochip3
pull() { cat "$BENCH/pull$1" 2>/dev/null || echo 0; }
free_or_busy() { # LINE
  { read -r owner _ <"$BENCH/owner$1"; } 2>/dev/null || return 0
  kill -0 "$owner" 2>/dev/null || return 0
  case $(cat "/proc/$owner/stat") in *') Z '*) return 0 ;; esac
  echo "${0##*/}: error setting the GPIO line values: Device or resource busy" >&2
  exit 1
}
refuse() { echo "${0##*/}: $1" >&2; exit 1; }
