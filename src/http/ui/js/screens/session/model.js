// A session as the page knows it: asked anew whenever the service says that something has happened.

import * as api from "../../api.js";
import * as school from "../../school.js";
import { dayIn } from "../../text.js";
import { waiting } from "../../uploads.js";

/** Events come in bursts; one look is enough for all of them. */
const GATHER_MS = 250;
const LONGEST_WAIT_MS = 15_000;

export class SessionModel {
  /** @param {number} id @param {AbortSignal} signal ends everything */
  constructor(id, signal) {
    this.id = id;
    this.signal = signal;
    this.connected = true;
    this.listeners = new Set();
    this.gathering = null;
  }

  onChange(listener) {
    this.listeners.add(listener);
  }

  tell() {
    if (!this.signal.aborted) this.listeners.forEach((listener) => listener(this));
  }

  /**
   * Reads everything anew. Of several at a time the one that began last counts: an older one knows less.
   */
  async load() {
    const { id, signal } = this;
    this.turn = (this.turn ?? 0) + 1;
    const { turn } = this;
    // First, so that whatever events tell up to here is in what is read next.
    const session = await api.get(`/sessions/${id}`, {}, signal);
    const [photos, records, count, of, members, subjects] = await Promise.all([
      api.get(`/sessions/${id}/photos`, {}, signal),
      api.get(`/sessions/${id}/records`, {}, signal),
      api.get(`/sessions/${id}/head-count`, {}, signal),
      this.class ?? api.get(`/classes/${session.class_id}`, {}, signal),
      school.members(session.class_id, dayIn(session.starts_at)),
      school.subjects(),
    ]);
    const looked = photos.items.filter((photo) => photo.state === "done");
    const faces = await Promise.all(looked.map((photo) => api.get(`/photos/${photo.id}/faces`, {}, signal)));
    if (turn !== this.turn) return this;
    this.class = of;
    this.subjects = subjects;
    this.session = session;
    this.photos = photos.items;
    this.faces = new Map(faces.map(({ photo_id, items }) => [photo_id, items]));
    this.records = records.items;
    this.version = records.version;
    this.rollPrefix = commonPrefix(this.records.map((record) => record.roll_no));
    this.count = count;
    this.students = new Map(members.map((member) => [member.id, member.student_id]));
    // Many events change nothing that is shown.
    const { last_event_id: seen, ...rest } = session;
    const now = JSON.stringify([rest, this.photos, [...this.faces], this.records, count]);
    this.seen = seen;
    if (now !== this.told) this.tell();
    this.told = now;
    return this;
  }

  /** After something that somebody did here: what it changed comes soon, even when reading it fails now. */
  async refresh() {
    try {
      await this.load();
    } catch (error) {
      if (error instanceof api.SignedOut) throw error;
      // Nothing comes of it when the screen was left.
      this.gather();
    }
  }

  /** Reads soon, and again until it went well. */
  gather(wait = GATHER_MS) {
    this.gathering ??= setTimeout(async () => {
      this.gathering = null;
      if (this.signal.aborted) return;
      try {
        await this.load();
      } catch (error) {
        if (error instanceof api.SignedOut) throw error;
        this.gather(Math.min(wait * 2, LONGEST_WAIT_MS));
      }
    }, wait);
  }

  /** Listens until the screen is left. */
  async follow() {
    const hear = (event) => {
      if (event.id > this.seen) this.gather();
    };
    const link = (connected) => {
      if (connected === this.connected) return;
      if (connected) this.gather();
      this.connected = connected;
      this.tell();
    };
    await api.follow(`/sessions/${this.id}/events`, hear, this.signal, link, this.seen);
  }

  get isConfirmed() {
    return this.session.state === "confirmed";
  }

  /** Photos are on their way, or not looked at yet: nobody can be judged. */
  get isWaiting() {
    const looking = this.photos.some((photo) => photo.state === "queued" || photo.state === "processing");
    return looking || waiting(this.id).some((photo) => photo.state !== "refused");
  }

  photoOf(face) {
    return this.photos.find((photo) => photo.id === face.photo_id);
  }

  allFaces() {
    return [...this.faces.values()].flat();
  }

  faceById(id) {
    return this.allFaces().find((face) => face.id === id);
  }

  /** A roll number without what all of the class begin with, such as `CSE-A-`: there is little room on a photo. */
  shortRoll(rollNo) {
    return rollNo.slice(this.rollPrefix.length);
  }

  /** Doubts that nobody has decided. */
  doubts() {
    return this.allFaces().filter((face) => face.verdict === "doubt" && !face.decision);
  }

  /** The face that speaks for a member: the one of the record, or the best doubt. */
  faceOf(record) {
    const faces = this.allFaces();
    return (
      faces.find((face) => face.id === record.face_id) ??
      faces.find((face) => face.member?.id === record.member_id && face.verdict === "match") ??
      faces.find((face) => face.member?.id === record.member_id)
    );
  }

  // What a person does -------------------------------------------------------------------------------------------------------

  /** Says who a face is: `{is: "member", member_id}` or `{is: "stranger"}`. Gives how to take it back. */
  async decide(face, said) {
    const before = face.decision?.said ?? null;
    await api.put(`/faces/${face.id}/decision`, said);
    await this.refresh();
    return () => this.restoreDecision(face.id, before);
  }

  async undecide(face) {
    const before = face.decision.said;
    await this.restoreDecision(face.id, null);
    return () => this.restoreDecision(face.id, before);
  }

  async restoreDecision(id, said) {
    await (said === null ? api.remove(`/faces/${id}/decision`) : api.put(`/faces/${id}/decision`, said));
    await this.refresh();
  }

  /** Sets a status by hand. Gives how to take it back. */
  async correct(record, status, reason) {
    await this.sendCorrection(record, { status, reason }, record.version);
    await this.refresh();
    return () => this.restoreAll([record]);
  }

  /** Many at once. */
  async correctAll(records, status) {
    const items = records.map(({ member_id, version }) => ({ member_id, status, version }));
    await api.post(`/sessions/${this.id}/records`, { items });
    await this.refresh();
    return () => this.restoreAll(records);
  }

  async withdraw(record) {
    await api.remove(`/sessions/${this.id}/records/${record.member_id}/correction`, { version: record.version });
    await this.refresh();
    return () => this.restoreAll([record]);
  }

  /** Makes records what they were. */
  async restoreAll(before) {
    try {
      for (const record of before) {
        if (record.source === "manual") await this.sendCorrection(record, { status: record.status, reason: record.note });
        else await api.remove(`/sessions/${this.id}/records/${record.member_id}/correction`);
      }
    } finally {
      await this.refresh();
    }
  }

  sendCorrection(record, said, version) {
    return api.patch(`/sessions/${this.id}/records/${record.member_id}`, said, { version });
  }
}

/** What all texts begin with, up to a separator. */
function commonPrefix(texts) {
  if (texts.length < 2) return "";
  let length = 0;
  while (length < texts[0].length && texts.every((text) => text[length] === texts[0][length])) length += 1;
  return /^.*[-_/. ]/.exec(texts[0].slice(0, length))?.[0] ?? "";
}
