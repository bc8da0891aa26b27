#!/bin/sh
# Attendance of one lesson with curl and jq: signs in, makes a session, uploads photos, waits, prints who is there, saves the sheet.
#
#   attendance.sh URL CLASS_ID SHEET.xlsx PHOTO...
#
# Name and password come from ROLLCALL_USER and ROLLCALL_PASSWORD.
set -eu
url=${1%/}/api/v1 class=$2 sheet=$3
shift 3

# The password stays off the command line, where every user of the machine could read it.
token=$(jq -n '{name: env.ROLLCALL_USER, password: env.ROLLCALL_PASSWORD}' |
    curl -fsS --json @- "$url/auth/login" | jq -r .access_token)
auth() { printf 'header = "Authorization: Bearer %s"\n' "$token" | curl -fsS --config - "$@"; }

session=$(jq -n --argjson class "$class" '{class_id: $class}' > /tmp/session.$$ &&
    auth --json @/tmp/session.$$ "$url/sessions" | jq -r .id)
rm -f /tmp/session.$$

# One form with all photos of the lesson; `wait` answers when they were looked at, or after a minute.
for photo in "$@"; do
    set -- "$@" -F "photo=@$photo"
    shift
done
auth "$@" "$url/sessions/$session/photos?wait=60" | jq -r '.photos[] | "\(.name): \(.state)"'
auth "$url/sessions/$session/records" | jq -r '.items[] | "\(.roll_no) \(.status)"'
auth -o "$sheet" "$url/sessions/$session/sheet?format=xlsx"
echo "saved $sheet"
