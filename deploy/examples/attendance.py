#!/usr/bin/env python3
"""Attendance of one lesson through the REST service, with nothing but Python's own library.

    attendance.py URL --roster roster.csv --class CSE --section A --portraits portraits/ --photos lesson/ -o lesson.xlsx

Signs in (name in ROLLCALL_USER, password in ROLLCALL_PASSWORD), imports the roster, enrols the portraits
(<folder>/<Roll_No>/*.jpg), makes a session, uploads its photos, follows its events until it is settled, prints who is there,
corrects one record if asked to, says whether the session adds up, confirms it if asked to, and saves the sheet.
"""
import argparse
import json
import mimetypes
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path


class Problem(Exception):
    """What the service says went wrong: `code` is stable, `detail` is for people."""

    def __init__(self, status, problem):
        super().__init__(f"{problem.get('code', status)}: {problem.get('detail', '')}")
        self.status, self.code, self.problem = status, problem.get("code"), problem


class Rollcall:
    def __init__(self, url):
        self.root = url.rstrip("/") + "/api/v1"
        self.token = None

    def request(self, method, path, body=None, content_type="application/json", headers=None, timeout=120):
        """Sends a request; waits and tries again where the service asks for that."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        # A POST whose answer was lost can be sent again: with the same key it is done once.
        key = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" and self.token else {}
        for attempt in range(5):
            request = urllib.request.Request(self.root + path, data=body, method=method)
            for name, value in {**key, **(headers or {})}.items():
                request.add_header(name, value)
            if body is not None:
                request.add_header("Content-Type", content_type)
            if self.token:
                request.add_header("Authorization", f"Bearer {self.token}")
            try:
                return urllib.request.urlopen(request, timeout=timeout)
            except urllib.error.HTTPError as error:
                wait = error.headers.get("Retry-After")
                if wait and attempt < 4:
                    time.sleep(min(int(wait), 30))
                    continue
                raise Problem(error.code, json.loads(error.read() or b"{}")) from None

    def json(self, *args, **kwargs):
        with self.request(*args, **kwargs) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def login(self, name, password):
        self.token = self.json("POST", "/auth/login", {"name": name, "password": password})["access_token"]

    def upload(self, path, files, field="photo"):
        """Sends files as a form."""
        boundary = uuid.uuid4().hex
        parts = []
        for file in files:
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{file.name}"\r\n'
            parts.append(head.encode() + f"Content-Type: {kind}\r\n\r\n".encode() + file.read_bytes() + b"\r\n")
        body = b"".join(parts) + f"--{boundary}--\r\n".encode()
        return self.json("POST", path, body, f"multipart/form-data; boundary={boundary}")

    def events(self, path):
        """Yields (id, kind, data); comes back after a broken connection without missing one."""
        last = None
        while True:
            headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
            try:
                with self.request("GET", path, headers=headers, timeout=60) as stream:
                    event = {}
                    for line in stream:
                        line = line.decode().rstrip("\n")
                        if line:
                            field, _, value = line.partition(":")
                            if field:
                                event[field] = value.removeprefix(" ")
                        elif "data" in event:
                            last = event.get("id", last)
                            yield last, event.get("event"), json.loads(event["data"])
                            event = {}
            except (TimeoutError, ConnectionError):
                pass
            time.sleep(1)


def files_of(folder):
    return sorted(file for file in Path(folder).iterdir() if file.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp"})


def enrol(service, members, folder):
    """Portraits lie in folders that are called like roll numbers, or end in `_` and the roll number."""
    taken = refused = 0
    for portraits in sorted(path for path in Path(folder).iterdir() if path.is_dir()):
        member = members.get(portraits.name) or members.get(portraits.name.rpartition("_")[2])
        if member is None:
            print(f"{portraits.name}: nobody on the roll", file=sys.stderr)
            continue
        for photo in service.upload(f"/students/{member['student_id']}/samples", files_of(portraits))["photos"]:
            taken += photo["error"] is None
            refused += photo["error"] is not None
    print(f"{taken} portraits enrolled, {refused} refused")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--roster", type=Path)
    parser.add_argument("--class", dest="name", required=True)
    parser.add_argument("--section", default="")
    parser.add_argument("--portraits", type=Path)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--correct", metavar="ROLL_NO=STATUS")
    parser.add_argument("--confirm", action="store_true", help="sign the session; undecided records stay open")
    parser.add_argument("--head-count", type=int, help="heads that were counted in the room")
    parser.add_argument("--guests", type=int, help="people among them who are not of the class")
    parser.add_argument("--reason", help="why the session is right although it does not add up")
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()

    service = Rollcall(args.url)
    service.login(os.environ["ROLLCALL_USER"], os.environ["ROLLCALL_PASSWORD"])
    if args.roster:
        imported = service.json("POST", "/roster/imports?mode=apply", args.roster.read_bytes(), "text/csv")
        print("roster imported" if imported["applied"] else "roster not imported")
    query = urllib.parse.urlencode({"search": args.name})
    classes = service.json("GET", f"/classes?{query}")["items"]
    class_id = next(c["id"] for c in classes if (c["name"], c["section"]) == (args.name, args.section))
    roll = service.json("GET", f"/classes/{class_id}/members")["items"]
    if args.portraits:
        enrol(service, {member["roll_no"]: member for member in roll}, args.portraits)

    session = service.json("POST", "/sessions", {"class_id": class_id})
    path = f"/sessions/{session['id']}"
    uploaded = service.upload(f"{path}/photos", files_of(args.photos))
    waiting = {photo["photo_id"] for photo in uploaded["photos"] if photo["state"] in ("queued", "processing")}
    print(f"{len(uploaded['photos'])} photos uploaded, {len(waiting)} wait")
    for number, kind, data in service.events(f"{path}/events") if waiting else ():
        print(f"event {number}: {kind} {data}")
        if service.json("GET", path)["photos"]["waiting"] == 0:
            break

    records = service.json("GET", f"{path}/records")["items"]
    for record in records:
        print(f"{record['roll_no']:>12} {record['status']}")
    if args.correct:
        roll_no, _, status = args.correct.partition("=")
        record = next(record for record in records if record["roll_no"] == roll_no)
        # Refused if somebody else has changed the record since it was read.
        service.json("PATCH", f"{path}/records/{record['member_id']}",
                     {"status": status, "reason": "seen by the teacher"}, headers={"If-Match": f'"{record["version"]}"'})
        print(f"{roll_no} is {status} now")
    said = {"unmarked": "keep", "head_count": args.head_count, "guests": args.guests}
    said = {name: value for name, value in said.items() if value is not None}
    count = service.json("GET", f"{path}/head-count?{urllib.parse.urlencode(said)}")
    print(f"{count['people']} people seen, {count['named']} of them named, {count['roll']} on the roll")
    for difference in count["differences"]:
        print(f"does not add up: {difference['text']}")
    if args.confirm:
        service.json("POST", f"{path}/confirm", said | ({"reason": args.reason} if args.reason else {}))
        print("confirmed")
    with service.request("GET", f"{path}/sheet?format=xlsx") as sheet:
        args.output.write_bytes(sheet.read())
    print(f"saved {args.output}")


if __name__ == "__main__":
    try:
        main()
    except Problem as problem:
        sys.exit(f"error: {problem}")
