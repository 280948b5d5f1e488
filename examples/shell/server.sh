#!/bin/sh
# A task server in shell: frames are lines of JSON, read with sed.
set -eu

declare_tasks() {
    cat <<'END' | tr -d '\n'
{"detail-type": "ServerDeclared", "detail": {"server": "disk", "contract": "1", "revision": 0, "tasks": [
{"name": "disk.usage", "owner": "team-ops", "params_schema": {"type": "object",
 "properties": {"folder": {"type": "string", "default": "/tmp"}}}},
{"name": "disk.verdict", "owner": "team-ops", "upstream": ["disk.usage"]}]}}
END
    echo
}

# The text of a field: `text_of folder "$line"`.
text_of() {
    printf '%s' "$2" | sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p'
}

number_of() {
    printf '%s' "$2" | sed -n 's/.*"'"$1"'": *\([0-9][0-9]*\).*/\1/p'
}

# The final state of the attempt of $line; $1 are its fields.
answer() {
    printf '{"detail-type":"TaskStateChanged","detail":{"run_id":"%s","task":"%s","attempt":%s,%s}}\n' \
        "$(text_of run_id "$line")" "$(text_of task "$line")" "$(number_of attempt "$line")" "$1"
}

usage() {
    folder=$(text_of folder "$line")
    if [ ! -d "$folder" ]; then
        answer '"state":"error","reason":"failed","error":{"type":"NoSuchFolder","message":"'"$folder"' is not a folder","retryable":false}'
        return
    fi
    echo "measuring $folder"
    kilobytes=$(du -sk "$folder" 2>/dev/null | cut -f1)
    answer '"state":"completed","output":{"kilobytes":'"$kilobytes"'}'
}

verdict() {
    if [ "$(number_of kilobytes "$line")" -lt 100000000 ]; then
        answer '"state":"completed","output":"fine"'
    else
        answer '"state":"completed","output":"clean up"'
    fi
}

declare_tasks
while IFS= read -r line; do
    case $line in
    *'"RunTask"'*'"task":"disk.usage"'*) usage ;;
    *'"RunTask"'*'"task":"disk.verdict"'*) verdict ;;
    esac
done
