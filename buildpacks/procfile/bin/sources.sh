# Where process definitions come from. Sourced by detect and build.

# Prints "type: command" lines, weakest source first: for one type the last line counts.
procfile_lines() {
  {
    if [ -n "${BP_PROCFILE_DEFAULT_PROCESS:-}" ]; then
      printf 'web: %s\n' "$BP_PROCFILE_DEFAULT_PROCESS"
    fi
    if [ -f Procfile ]; then
      cat Procfile
      echo # the last line may lack its end
    fi
    for binding in "${SERVICE_BINDING_ROOT:-$CNB_PLATFORM_DIR/bindings}"/*; do
      if [ -f "$binding/type" ] && [ -f "$binding/Procfile" ] &&
        [ "$(tr '[:upper:]' '[:lower:]' <"$binding/type" | tr -d '[:space:]')" = procfile ]; then
        cat "$binding/Procfile"
        echo
      fi
    done
  } | tr -d '\r' | grep -aE '^[A-Za-z0-9_-]+:[[:blank:]]*[^[:blank:]]' || true
}
