#!/bin/bash
# Whether the program in this container answers /livez: the server, or what listens at the address that is given. Images have bash and no HTTP client, and need none for this.
set -euo pipefail
listen=${1:-${ROLLCALL_SERVER__LISTEN:-127.0.0.1:8080}}
exec 3<>"/dev/tcp/127.0.0.1/${listen##*:}"
printf 'GET /livez HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
read -r -t 3 _ status _ <&3
[ "$status" = 200 ]
