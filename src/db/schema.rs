//! The tables as diesel sees them; what `migrations/` creates, valid for both databases.
//!
//! Written by hand. The migrations carry the rules (unique, check, foreign key); here are names and types only.

use diesel::{allow_columns_to_appear_in_same_group_by_clause, allow_tables_to_appear_in_same_query, joinable, table};

table! {
    classes (id) {
        id -> BigInt,
        name -> Text,
        section -> Text,
        term -> Text,
        name_key -> Text,
        section_key -> Text,
        term_key -> Text,
        created_at -> Timestamp,
        pilot_since -> Nullable<Timestamp>,
    }
}

table! {
    students (id) {
        id -> BigInt,
        prn -> Text,
        name -> Text,
        email -> Nullable<Text>,
        consent -> Text,
        consent_at -> Nullable<Timestamp>,
        active -> Bool,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

table! {
    class_members (id) {
        id -> BigInt,
        class_id -> BigInt,
        student_id -> BigInt,
        roll_no -> Text,
        valid_from -> Nullable<Date>,
        valid_to -> Nullable<Date>,
    }
}

table! {
    subjects (id) {
        id -> BigInt,
        name -> Text,
        name_key -> Text,
    }
}

table! {
    face_samples (id) {
        id -> BigInt,
        student_id -> BigInt,
        pack_id -> Text,
        pack_version -> Text,
        sha256 -> Text,
        object_key -> Text,
        embedding -> Binary,
        dims -> Integer,
        quality -> Text,
        weight -> Double,
        created_at -> Timestamp,
        origin -> Text,
        session_id -> Nullable<BigInt>,
        face_id -> Nullable<BigInt>,
    }
}

table! {
    attendance_sessions (id) {
        id -> BigInt,
        class_id -> BigInt,
        subject_id -> Nullable<BigInt>,
        name -> Nullable<Text>,
        name_key -> Text,
        starts_at -> Timestamp,
        state -> Text,
        flags -> Text,
        gallery_fingerprint -> Nullable<Text>,
        strangers -> Integer,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        confirmed_at -> Nullable<Timestamp>,
        confirmed_by -> Nullable<Text>,
        head_count -> Nullable<Integer>,
        guests -> Nullable<Integer>,
        differences -> Text,
        confirm_reason -> Nullable<Text>,
        pilot -> Bool,
        confirmed_by_id -> Nullable<BigInt>,
        remark -> Nullable<Text>,
    }
}

table! {
    session_photos (id) {
        id -> BigInt,
        session_id -> BigInt,
        sha256 -> Text,
        object_key -> Text,
        original_name -> Text,
        bytes -> BigInt,
        state -> Text,
        error_code -> Nullable<Text>,
        error_message -> Nullable<Text>,
        width -> Nullable<Integer>,
        height -> Nullable<Integer>,
        captured_at -> Nullable<Timestamp>,
        smallest_face_px -> Nullable<Float>,
        faces_left_out -> Integer,
        warnings -> Text,
        timings -> Text,
        pack_id -> Nullable<Text>,
        pack_version -> Nullable<Text>,
        provider -> Nullable<Text>,
        policy -> Text,
        processed_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
        guard_warnings -> Text,
    }
}

table! {
    faces (id) {
        id -> BigInt,
        photo_id -> BigInt,
        ordinal -> Integer,
        x -> Float,
        y -> Float,
        w -> Float,
        h -> Float,
        landmarks -> Text,
        detection_score -> Float,
        quality -> Text,
        embedding -> Nullable<Binary>,
        verdict -> Nullable<Text>,
        member_id -> Nullable<BigInt>,
        combined -> Nullable<Double>,
        cosine -> Nullable<Double>,
        confidence -> Nullable<Double>,
        runner_up_member_id -> Nullable<BigInt>,
        runner_up_combined -> Nullable<Double>,
        reason -> Nullable<Text>,
        person -> Nullable<Integer>,
    }
}

table! {
    attendance_records (id) {
        id -> BigInt,
        session_id -> BigInt,
        member_id -> BigInt,
        status -> Text,
        source -> Text,
        confidence -> Nullable<Double>,
        face_id -> Nullable<BigInt>,
        note -> Nullable<Text>,
        updated_at -> Timestamp,
    }
}

table! {
    jobs (id) {
        id -> BigInt,
        kind -> Text,
        topic -> Text,
        payload -> Text,
        dedup_key -> Nullable<Text>,
        run_id -> Nullable<Text>,
        priority -> Integer,
        state -> Text,
        attempt -> Integer,
        max_attempts -> Integer,
        due_at -> Timestamp,
        lease_until -> Nullable<Timestamp>,
        worker -> Nullable<Text>,
        errors -> Text,
        created_at -> Timestamp,
        started_at -> Nullable<Timestamp>,
        finished_at -> Nullable<Timestamp>,
        owner -> Nullable<Text>,
        progress -> Nullable<Text>,
        result -> Nullable<Text>,
    }
}

table! {
    terms (id) {
        id -> BigInt,
        name -> Text,
        name_key -> Text,
        first_day -> Date,
        last_day -> Date,
    }
}

table! {
    users (id) {
        id -> BigInt,
        name -> Text,
        name_key -> Text,
        display_name -> Text,
        role -> Text,
        password_hash -> Text,
        active -> Bool,
        failed_logins -> Integer,
        locked_until -> Nullable<Timestamp>,
        password_changed_at -> Timestamp,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

table! {
    user_classes (user_id, class_id) {
        user_id -> BigInt,
        class_id -> BigInt,
    }
}

table! {
    refresh_tokens (id) {
        id -> BigInt,
        user_id -> BigInt,
        family -> Text,
        token_hash -> Text,
        created_at -> Timestamp,
        expires_at -> Timestamp,
        used_at -> Nullable<Timestamp>,
        revoked_at -> Nullable<Timestamp>,
    }
}

table! {
    api_tokens (id) {
        id -> BigInt,
        name -> Text,
        token_hash -> Text,
        hint -> Text,
        scopes -> Text,
        created_by -> Nullable<BigInt>,
        created_at -> Timestamp,
        expires_at -> Nullable<Timestamp>,
        last_used_at -> Nullable<Timestamp>,
        revoked_at -> Nullable<Timestamp>,
    }
}

table! {
    audit_log (id) {
        id -> BigInt,
        at -> Timestamp,
        actor_kind -> Text,
        actor_id -> Nullable<BigInt>,
        actor -> Text,
        action -> Text,
        object_kind -> Nullable<Text>,
        object_id -> Nullable<BigInt>,
        class_id -> Nullable<BigInt>,
        request_id -> Nullable<Text>,
        address -> Nullable<Text>,
        detail -> Text,
    }
}

table! {
    idempotency_keys (id) {
        id -> BigInt,
        caller -> Text,
        key -> Text,
        fingerprint -> Text,
        status -> Nullable<Integer>,
        headers -> Text,
        body -> Nullable<Binary>,
        created_at -> Timestamp,
    }
}

table! {
    record_changes (id) {
        id -> BigInt,
        session_id -> BigInt,
        member_id -> BigInt,
        from_status -> Text,
        from_source -> Text,
        status -> Text,
        source -> Text,
        reason -> Nullable<Text>,
        actor_kind -> Text,
        actor_id -> Nullable<BigInt>,
        actor -> Text,
        at -> Timestamp,
    }
}

table! {
    face_decisions (id) {
        id -> BigInt,
        photo_id -> BigInt,
        x -> Float,
        y -> Float,
        w -> Float,
        h -> Float,
        member_id -> Nullable<BigInt>,
        actor_kind -> Text,
        actor_id -> Nullable<BigInt>,
        actor -> Text,
        at -> Timestamp,
    }
}

table! {
    events (id) {
        id -> BigInt,
        at -> Timestamp,
        session_id -> Nullable<BigInt>,
        job_id -> Nullable<BigInt>,
        kind -> Text,
        data -> Text,
    }
}

table! {
    pilot_opinions (session_id, member_id) {
        session_id -> BigInt,
        member_id -> BigInt,
        opinion -> Text,
        confidence -> Nullable<Double>,
        face_id -> Nullable<BigInt>,
    }
}

table! {
    status_styles (status) {
        status -> Text,
        label -> Text,
        short -> Text,
        points_hundredths -> Nullable<Integer>,
        colour -> Text,
    }
}

table! {
    leaves (id) {
        id -> BigInt,
        student_id -> BigInt,
        first_day -> Date,
        last_day -> Date,
        kind -> Text,
        remark -> Nullable<Text>,
        document_key -> Nullable<Text>,
        document_name -> Nullable<Text>,
        document_sha256 -> Nullable<Text>,
        document_bytes -> Nullable<BigInt>,
        created_by -> Text,
        created_at -> Timestamp,
    }
}

table! {
    holidays (id) {
        id -> BigInt,
        class_id -> Nullable<BigInt>,
        first_day -> Date,
        last_day -> Date,
        name -> Text,
    }
}

table! {
    timetable_slots (id) {
        id -> BigInt,
        class_id -> BigInt,
        subject_id -> Nullable<BigInt>,
        weekday -> Integer,
        starts_min -> Integer,
        minutes -> Integer,
        valid_from -> Date,
        valid_to -> Nullable<Date>,
    }
}

joinable!(class_members -> students (student_id));
joinable!(class_members -> classes (class_id));
joinable!(face_samples -> students (student_id));
joinable!(face_samples -> attendance_sessions (session_id));
joinable!(attendance_sessions -> classes (class_id));
joinable!(session_photos -> attendance_sessions (session_id));
joinable!(faces -> session_photos (photo_id));
joinable!(attendance_records -> attendance_sessions (session_id));
joinable!(attendance_records -> class_members (member_id));
joinable!(user_classes -> users (user_id));
joinable!(user_classes -> classes (class_id));
joinable!(refresh_tokens -> users (user_id));
joinable!(record_changes -> class_members (member_id));
joinable!(face_decisions -> session_photos (photo_id));
joinable!(face_decisions -> class_members (member_id));
joinable!(pilot_opinions -> faces (face_id));

allow_tables_to_appear_in_same_query!(
    classes,
    students,
    class_members,
    subjects,
    face_samples,
    attendance_sessions,
    session_photos,
    faces,
    attendance_records,
    terms,
    users,
    user_classes,
    refresh_tokens,
    api_tokens,
    audit_log,
    idempotency_keys,
    record_changes,
    face_decisions,
    events,
    pilot_opinions,
    status_styles,
    leaves,
    holidays,
    timetable_slots,
);

allow_columns_to_appear_in_same_group_by_clause!(faces::verdict, session_photos::session_id);
