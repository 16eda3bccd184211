//! What the bytes of a recording say.

use proptest::prelude::*;
use tower_wechat::api::{Encoding, Recording};

use super::*;

/// The number of bytes of whole frames, by type: RFC 4867 in octets, with the first byte.
const NARROW: [(u8, usize); 10] = [
    (0, 13),
    (1, 14),
    (2, 16),
    (3, 18),
    (4, 20),
    (5, 21),
    (6, 27),
    (7, 32),
    (8, 6),
    (15, 1),
];
const WIDE: [(u8, usize); 12] = [
    (0, 18),
    (1, 24),
    (2, 33),
    (3, 37),
    (4, 41),
    (5, 47),
    (6, 51),
    (7, 59),
    (8, 61),
    (9, 6),
    (14, 1),
    (15, 1),
];

fn file(header: &[u8], frames: &[(u8, usize)]) -> Vec<u8> {
    let mut file = header.to_vec();
    for (number, (kind, size)) in frames.iter().enumerate() {
        file.push(kind << 3 | 4);
        // Bytes that are headers of frames too.
        file.extend((number..).take(size - 1).map(|byte| byte.to_le_bytes()[0]));
    }
    file
}

#[test]
fn the_first_bytes_tell_the_encoding() {
    let mut ogg = [0; 40];
    ogg[..4].copy_from_slice(b"OggS");
    ogg[28..36].copy_from_slice(b"Speex   ");
    for (bytes, encoding) in [
        (&b"#!AMR\n"[..], Encoding::AmrNb),
        (b"#!AMR\n\x3c123", Encoding::AmrNb),
        (b"#!AMR-WB\n", Encoding::AmrWb),
        (b"#!AMR", Encoding::Other),
        (b"#!AMR_MC1.0\n", Encoding::Other),
        (b"#!AMR-WB_MC1.0\n", Encoding::Other),
        (b"#!SILK_V3", Encoding::Silk),
        (b"\x02#!SILK_V3\x0c\x00", Encoding::Silk),
        (b"\x02\x02#!SILK_V3", Encoding::Other),
        (&ogg, Encoding::Speex),
        (&ogg[..35], Encoding::Other),
        (b"OggS", Encoding::Other),
        (b"", Encoding::Other),
        (b"RIFF", Encoding::Other),
    ] {
        let recording = Recording::new(bytes.to_vec());
        assert_eq!(recording.encoding(), encoding, "{bytes:?}");
        let has_duration = matches!(encoding, Encoding::AmrNb | Encoding::AmrWb);
        assert_eq!(recording.duration().is_some(), has_duration);
    }
}

#[test]
fn debug_shows_no_contents() {
    let recording = Recording::new(&b"#!AMR\nhush"[..]);
    assert_eq!(
        format!("{recording:?}"),
        "Recording { encoding: AmrNb, len: 10, .. }"
    );
}

#[test]
fn a_frame_of_an_unknown_type_ends_the_count() {
    for (header, types) in [(&b"#!AMR\n"[..], 9..=13), (b"#!AMR-WB\n", 10..=13)] {
        for kind in types {
            let mut file = file(header, &[(15, 1), (15, 1)]);
            file.push(kind << 3);
            file.extend([0x7c; 9]);
            let duration = Recording::new(file).duration();
            assert_eq!(duration, Some(Duration::from_millis(40)), "{kind}");
        }
    }
}

#[test]
fn a_minute_has_3000_frames() {
    let recording = Recording::new(file(b"#!AMR\n", &vec![(7, 32); 3000]));
    assert_eq!(recording.as_bytes().len(), 96_006);
    assert_eq!(recording.duration(), Some(secs(60)));
}

proptest! {
    #![proptest_config(crate::cases(256))]

    #[test]
    fn each_whole_frame_is_20_ms(
        frames in proptest::collection::vec(proptest::sample::select(&NARROW[..]), 0..60),
        wide in proptest::collection::vec(proptest::sample::select(&WIDE[..]), 0..60),
        cut in any::<proptest::sample::Index>(),
    ) {
        for (header, frames) in [(&b"#!AMR\n"[..], frames), (b"#!AMR-WB\n", wide)] {
            let file = file(header, &frames);
            let millis = |frames: usize| Some(Duration::from_millis(20 * frames as u64));
            prop_assert_eq!(Recording::new(file.clone()).duration(), millis(frames.len()));
            // Cut anywhere behind the header, only the whole frames count.
            let cut = header.len() + cut.index(file.len() - header.len() + 1);
            let ends = frames.iter().scan(header.len(), |end, (_, size)| {
                *end += size;
                Some(*end)
            });
            let whole = ends.filter(|end| *end <= cut).count();
            prop_assert_eq!(Recording::new(file[..cut].to_vec()).duration(), millis(whole));
        }
    }

    #[test]
    fn no_bytes_panic(header in 0..4_usize, bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let header = [&b"#!AMR\n"[..], b"#!AMR-WB\n", b"\x02#!SILK_V3", b""][header];
        let recording = Recording::new([header, &bytes].concat());
        let most = secs(4);
        prop_assert!(recording.duration().unwrap_or_default() <= most);
    }
}
