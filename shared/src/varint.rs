//! Numbers in LEB128: seven bits a byte, the lowest first, the highest bit set in all but the last.

/// The bits of a number that one byte holds.
const BITS: u32 = 7;
/// Set where another byte follows.
const MORE: u8 = 0x80;

/// Adds a number.
pub fn write(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= u64::from(MORE) {
        bytes.push(number.to_le_bytes()[0] | MORE);
        number >>= BITS;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// Takes a number off the front; none if there is no whole one, it does not fit, or it is written longer
/// than it needs to be.
pub fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(BITS as usize) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & !MORE);
        if bits << shift >> shift != bits || (byte == 0 && shift > 0) {
            return None;
        }
        number |= bits << shift;
        if byte & MORE == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, 127, 128, 300, 16_383, 16_384, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            write(number, &mut bytes);
            for length in 0..bytes.len() {
                assert_eq!(read(&mut &bytes[..length]), None, "{number} cut after {length}");
            }
            bytes.push(9);
            let mut rest = bytes.as_slice();
            assert_eq!((read(&mut rest), rest), (Some(number), &[9][..]));
        }
    }
}
