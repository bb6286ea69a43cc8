#!/usr/bin/env python3
"""Reads TensorBoard event files with nothing but the standard library, from the formats' descriptions alone.

A file is a chain of TFRecords: length (uint64), masked CRC-32C of the length, that many bytes, their masked CRC-32C, all
little-endian. The bytes are a protocol buffer `Event`. A last record that is not whole is passed over; anything else that
does not fit is an error.

reader.py FILE...    prints one line per value
"""
import struct
import sys

POLYNOMIAL = 0x1EDC6F41  # Castagnoli


class Damaged(ValueError):
    pass


def reflected(value, width):
    return int(format(value, f'0{width}b')[::-1], 2)


def crc32c(data):
    """Bit by bit, as the polynomial division that it is."""
    crc, poly = 0xFFFFFFFF, reflected(POLYNOMIAL, 32)
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (poly if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def unmask(masked):
    rotated = (masked - 0xA282EAD8) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF


def records(data):
    at = 0
    while at < len(data):
        if at + 12 > len(data):
            return  # cut off
        length, check = struct.unpack_from('<QI', data, at)
        if unmask(check) != crc32c(data[at:at + 8]):
            raise Damaged(f'byte {at}: the checksum of a length is wrong')
        if at + 12 + length + 4 > len(data):
            return  # cut off
        body = data[at + 12:at + 12 + length]
        if unmask(struct.unpack_from('<I', data, at + 12 + length)[0]) != crc32c(body):
            raise Damaged(f'byte {at}: the checksum of a record is wrong')
        yield body
        at += 12 + length + 4


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def fields(data):
    """A protocol buffer as {number: [values]}: bytes for what has a length, raw bytes for fixed widths."""
    out, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = varint(data, at)
        elif wire in (1, 5):
            width = 8 if wire == 1 else 4
            value, at = data[at:at + width], at + width
        elif wire == 2:
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
        else:
            raise Damaged(f'wire type {wire} in field {number}')
        if at > len(data):
            raise Damaged(f'field {number} ends after its message')
        out.setdefault(number, []).append(value)
    return out


def double(raw):
    return struct.unpack('<d', raw)[0]


def doubles(raw):
    return list(struct.unpack(f'<{len(raw) // 8}d', raw))


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def events(data):
    """Dictionaries: time, step and either version or tag with scalar, text or histogram."""
    for number, body in enumerate(records(data)):
        event = fields(body)
        base = {'time': double(event[1][0]), 'step': signed(event.get(2, [0])[0])}
        if number == 0:
            if event.get(3) != [b'brain.Event:2']:
                raise Damaged('the first record does not name the version')
            yield {**base, 'version': event[3][0].decode()}
            continue
        for summary in event.get(5, []):
            for raw in fields(summary).get(1, []):
                value = fields(raw)
                one = {**base, 'tag': value[1][0].decode()}
                if 2 in value:
                    one['scalar'] = struct.unpack('<f', value[2][0])[0]
                elif 5 in value:
                    h = fields(value[5][0])
                    one['histogram'] = {'min': double(h[1][0]), 'max': double(h[2][0]), 'num': double(h[3][0]),
                                        'sum': double(h[4][0]), 'sum_squares': double(h[5][0]),
                                        'limits': doubles(h[6][0]), 'counts': doubles(h[7][0])}
                elif 8 in value:
                    tensor, about = fields(value[8][0]), fields(value[9][0])
                    if tensor[1] != [7] or fields(about[1][0])[1] != [b'text']:
                        raise Damaged(f'{one["tag"]}: a tensor that is no text')
                    one['text'] = tensor[8][0].decode()
                else:
                    raise Damaged(f'{one["tag"]}: a value of no known kind')
                yield one


def read(path):
    with open(path, 'rb') as f:
        return list(events(f.read()))


if __name__ == '__main__':
    for name in sys.argv[1:]:
        for event in read(name):
            print(event)
