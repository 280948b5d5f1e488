#!/bin/sh
# A task server in POSIX shell, over the local worker protocol.
echo '{"detail-type":"ServerDeclared","detail":{"server":"shell","contract":"1","revision":0,"tasks":[{"name":"greet"},{"name":"crash"},{"name":"wrong"},{"name":"sleep"},{"name":"invalid"}]}}'
field() { printf '%s' "$line" | sed -n "s/.*\"$1\":\"\\([^\"]*\\)\".*/\\1/p"; }
answer() {
    printf '{"detail-type":"TaskStateChanged","detail":{"run_id":"%s","task":"%s","attempt":%s,%s}}\n' \
        "$(field run_id)" "$1" "$(printf '%s' "$line" | sed -n 's/.*"attempt":\([0-9]*\).*/\1/p')" "$2"
}
while IFS= read -r line; do
    case $line in
    *'"detail-type":"RunTask"'*) ;;
    *) continue ;;
    esac
    task=$(field task)
    case $task in
    greet)
        echo "hello from shell"
        printf '{not a frame}\n'
        echo "on stderr" >&2
        answer greet '"state":"started","progress":0.5'
        answer greet '"state":"completed","output":"hi"'
        ;;
    crash) echo "about to crash" >&2; exit 7 ;;
    wrong) answer other '"state":"completed"'; answer wrong '"state":"completed","output":NaN' ;;
    sleep) sleep 600 ;;
    invalid) answer invalid '"state":"completed","error":5' ;;
    esac
done
