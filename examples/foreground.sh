# What the other examples share, read by `. "$(dirname "$0")/foreground.sh"`: a folder of their own, and staying in the foreground. On SIGTERM, and
# whenever the script ends, all that it has started in the background ends with it, and the folder is removed.
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
trap 'exit 143' INT TERM

# stay PID...: until one of them ends.
stay () {
  while :; do
    for pid; do
      kill -0 "$pid" 2>/dev/null || exit 1
    done
    # A signal ends the wait.
    sleep 1 &
    wait $! || true
  done
}
