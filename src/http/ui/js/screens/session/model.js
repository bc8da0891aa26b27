// A session as the page knows it: asked anew whenever the service says that something has happened.

import * as api from "../../api.js";
import * as school from "../../school.js";
import { dayIn } from "../../text.js";
import { waiting } from "../../uploads.js";

/** Events come in bursts; one look is enough for all of them. */
const GATHER_MS = 250;

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

  async load() {
    const { id, signal } = this;
    const [session, photos, records, count] = await Promise.all([
      api.get(`/sessions/${id}`, {}, signal),
      api.get(`/sessions/${id}/photos`, {}, signal),
      api.get(`/sessions/${id}/records`, {}, signal),
      api.get(`/sessions/${id}/head-count`, {}, signal),
    ]);
    const looked = photos.items.filter((photo) => photo.state === "done");
    const faces = await Promise.all(looked.map((photo) => api.get(`/photos/${photo.id}/faces`, {}, signal)));
    this.session = session;
    this.photos = photos.items;
    this.faces = new Map(faces.map(({ photo_id, items }) => [photo_id, items]));
    this.records = records.items;
    this.version = records.version;
    this.rollPrefix = commonPrefix(this.records.map((record) => record.roll_no));
    this.count = count;
    this.class ??= await api.get(`/classes/${session.class_id}`, {}, signal);
    const members = await school.members(session.class_id, dayIn(session.starts_at));
    this.students = new Map(members.map((member) => [member.id, member.student_id]));
    // Many events change nothing that is shown.
    const now = JSON.stringify([session, this.photos, [...this.faces], this.records, count]);
    if (now !== this.told) this.tell();
    this.told = now;
    return this;
  }

  /** Listens until the screen is left. */
  async follow() {
    const hear = () => {
      this.gathering ??= setTimeout(() => {
        this.gathering = null;
        this.load().catch(() => {});
      }, GATHER_MS);
    };
    const link = (connected) => {
      if (connected && !this.connected) hear();
      this.connected = connected;
      this.tell();
    };
    await api.follow(`/sessions/${this.id}/events`, hear, this.signal, link).catch(() => {});
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
    await this.load();
    return () => this.restoreDecision(face.id, before);
  }

  async undecide(face) {
    const before = face.decision.said;
    await this.restoreDecision(face.id, null);
    return () => this.restoreDecision(face.id, before);
  }

  async restoreDecision(id, said) {
    await (said === null ? api.remove(`/faces/${id}/decision`) : api.put(`/faces/${id}/decision`, said));
    await this.load();
  }

  /** Sets a status by hand. Gives how to take it back. */
  async correct(record, status, reason) {
    await this.sendCorrection(record, { status, reason }, record.version);
    return () => this.restoreRecord(record);
  }

  /** Many at once. */
  async correctAll(records, status) {
    const items = records.map(({ member_id, version }) => ({ member_id, status, version }));
    await api.post(`/sessions/${this.id}/records`, { items });
    await this.load();
    return async () => {
      for (const record of records) await this.restoreRecord(record, { load: false });
      await this.load();
    };
  }

  async withdraw(record) {
    await api.remove(`/sessions/${this.id}/records/${record.member_id}/correction`, { version: record.version });
    await this.load();
    return () => this.sendCorrection(record, { status: record.status, reason: record.note });
  }

  async restoreRecord(before, { load = true } = {}) {
    if (before.source === "manual") return this.sendCorrection(before, { status: before.status, reason: before.note });
    await api.remove(`/sessions/${this.id}/records/${before.member_id}/correction`);
    if (load) await this.load();
  }

  async sendCorrection(record, said, version) {
    await api.patch(`/sessions/${this.id}/records/${record.member_id}`, said, { version });
    await this.load();
  }
}

/** What all texts begin with, up to a separator. */
function commonPrefix(texts) {
  if (texts.length < 2) return "";
  let length = 0;
  while (length < texts[0].length && texts.every((text) => text[length] === texts[0][length])) length += 1;
  return /^.*[-_/. ]/.exec(texts[0].slice(0, length))?.[0] ?? "";
}
