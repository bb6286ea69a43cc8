#!/usr/bin/env python3
"""WordPiece on whole strings, by the published algorithm and Python's Unicode tables: the reference for weft's.

reference.py VOCAB > wordpiece.json writes the awkward strings below with their ids by the vocabulary of
bert-base-uncased (a file with a token per line) and by a small one made here.
"""
import json
import sys
import unicodedata

SPECIAL = ['[UNK]', '[CLS]', '[SEP]', '[PAD]', '[MASK]']
# Enough of words, pieces and scripts that every string below takes several ways through it.
SMALL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] + list('abcdefghijklmnopqrstuvwxyz0123456789') + [
    '##' + c for c in 'abcdefghijklmnopqrstuvwxyz0123456789'] + list('.,!?-\'"()[]/:;@#$%&*+=_~^|\\<>{}`') + [
    'un', '##aff', '##able', 'the', 'patient', '##s', '##ing', 'fever', '##itis', 'cardio', '##myo', '##pathy', 'resume',
    'naive', 'cafe', 'strasse', 'ß', '##ß', 'μ', '##μ', 'β', '##β', 'σ', '##σ', 'ς', '##ς', 'ο', '##ο', 'δ', '##δ', 'и', '##и',
    'е', '##е', '中', '国', '日', '本', '語', 'か', '##か', 'き', '##き', 'ᄒ', '##ᅡ', '##ᆫ', 'ᄀ', '##ᅳ', '##ᆯ', '##ᄀ', 'न', '##म', '##स',
    '##त', 'ा', 'م', '##ر', '##ح', '##ب', '##ا', 'ש', '##ל', '##ו', '##ם', '€', '©', '…', '–', '—', '«', '»', '¿', '。', '、', '“', '”',
    'i', 'ı', '##ı', '½', '²', '##²', '😀', '👩', 'ﬁ', '##ﬁ', 'ａ', '##ｂ']
SMALL = list(dict.fromkeys(SMALL))


def category(c):
    return unicodedata.category(c)


def clean(text):
    out = []
    for c in text:
        if c in '\t\n\r' or category(c) in ('Zs', 'Zl', 'Zp'):
            out.append(' ')
        elif c != '\ufffd' and category(c)[0] != 'C':
            out.append(c)
    return ''.join(out)


def is_ideograph(c):
    n = ord(c)
    return any(a <= n <= b for a, b in ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
                                        (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)))


def is_punctuation(c):
    n = ord(c)
    return 33 <= n <= 47 or 58 <= n <= 64 or 91 <= n <= 96 or 123 <= n <= 126 or category(c)[0] == 'P'


def words(text):
    text = ''.join(' %s ' % c if is_ideograph(c) else c for c in clean(text))
    text = ''.join(c for c in unicodedata.normalize('NFD', text) if category(c) != 'Mn')
    text = ''.join(c.lower() for c in text)
    for word in text.split():
        part = ''
        for c in word:
            if is_punctuation(c):
                if part:
                    yield part
                yield c
                part = ''
            else:
                part += c
        if part:
            yield part


def pieces(word, vocabulary):
    if len(word) > 100:
        return ['[UNK]']
    out, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = ('##' if start else '') + word[start:end]
            if piece in vocabulary:
                break
        else:
            return ['[UNK]']
        out.append(piece)
        start = end
    return out


def tokens(text, vocabulary):
    # Special tokens stand for themselves, as they are written.
    at, found = min(((text.find(s), s) for s in SPECIAL if s in text), default=(-1, ''))
    if at >= 0:
        return tokens(text[:at], vocabulary) + [found] + tokens(text[at + len(found):], vocabulary)
    return [p for w in words(text) for p in pieces(w, vocabulary)]


def encode(text, vocabulary):
    return [vocabulary[t] for t in ['[CLS]'] + tokens(text, vocabulary) + ['[SEP]']]


STRINGS = [
    # nothing, blanks, controls
    '', ' ', '\t\n\r', '\u00a0\u2003\u3000', '\u2028\u2029', 'a\u00a0b', 'a\u200bb', 'a\u00adb', '\ufeffbegin', 'a\x00b', 'a\x07b\x1bc', 'a\x0bb\x0cc',
    'a\x1cb\x1dc\x1ed\x1fe', 'a\x85b', 'a\x7fb\x80c\x9fd', 'a\ufffdb', '\u200d', '\u2060word\u2060joiner', '\u202eright to left\u202c', 'line\r\nend',
    '  many   spaces  ', 'tab\tbetween', 'trailing \n', '\ue000private\uf8ff', 'not\u0378assigned', '\U000e0001\U000e0041tags', '\U0010ffff',
    # words and pieces
    'The patient has a fever.', 'unaffable', 'UNAFFABLE', 'cardiomyopathy', 'Electroencephalographically', 'pericarditis, myocarditis & endocarditis',
    'hypercholesterolemia', 'acetylsalicylic acid 100mg p.o.', 'b.i.d.', 'q6h prn', 'x' * 99, 'x' * 100, 'x' * 101, 'a' * 1000, '1' * 100, '1234567890', '3.14159',
    '1,000,000', '-0.5', '1e-10', '0x1F', 'B12', 'COVID-19', 'SARS-CoV-2', 'IL-6/TNF-\u03b1', 'don\'t', 'o\'clock', 'rock\'n\'roll', 'mother-in-law', 'e-mail@example.org',
    'https://example.org/a?b=c&d=e#f', 'C:\\Windows\\System32', '/usr/share/doc', 'snake_case_name', 'CamelCaseName', '#hashtag', '@name', '100%', '$5.00', 'C++', 'C#',
    'a+b=c', 'if (x<y) { z[0]^=~w|v; }', '!?', '...', '--', '!!!???...,,,', '"quoted"', '`code`', '(nested (brackets) [here] {there})', 'a.b.c', ':-)', '<html>&nbsp;</html>',
    '##ing', 'walk ##ing', '# #', '[', ']', '[]', '[ MASK ]',
    # accents, composed and not
    'r\u00e9sum\u00e9', 're\u0301sume\u0301', 'na\u00efve caf\u00e9', 'NA\u00cfVE CAF\u00c9', '\u00c5ngstr\u00f6m', '\u212bngstrom', '\u212a kelvin', '\u2126 ohm',
    'Stra\u00dfe', 'STRA\u1e9eE', '\u00e6ther \u0153uvre', '\u00d8re \u0142\u00f3d\u017a', '\u0130stanbul', 'I\u0307stanbul', '\u0131l\u0131k', 'Ti\u1ebfng Vi\u1ec7t',
    'Tie\u0302\u0301ng Vie\u0323\u0302t', '\u1e69', 's\u0323\u0307', 's\u0307\u0323', 'q\u0323\u0307\u0301', 'Z\u0351\u036b\u0343\u036a\u0302A\u0334\u0335\u031cL\u0360\u0489GO',
    '\u0301', ' \u0301a', 'e\u0301\u0301\u0301', '\u01c4 \u01c5 \u01c6', '\u1f80 \u1fb3 \u0345', '\u00bd cup, m\u00b2, H\u2082O', 'x\u2070y\u207f', '\u2167 \u2177', '\u24b6 \u24d0',
    'ﬁne ﬂight oﬃce', 'ŉ ǰ', '\u1d2c\u1d43', '\u00aa \u00ba', '\u0149',
    # Greek and Cyrillic
    '\u039f\u0394\u039f\u03a3', '\u03bf\u03b4\u03cc\u03c2', '\u03a3\u03c3\u03c2', '\u1f08\u03c1\u03c7\u03b9\u03bc\u03ae\u03b4\u03b7\u03c2', '\u00b5g and \u03bcg', '\u03b2-blocker',
    '\u041c\u043e\u0441\u043a\u0432\u0430', '\u0451\u0436 \u0438 \u0439\u043e\u0434', '\u0401\u0416 \u0418 \u0419\u041e\u0414', '\u0438\u0306\u043e\u0434', '\u0402\u0403\u040c',
    '\u0460\u0461\ua640', '\u0531\u0580\u0574\u0565\u0576 \u0587', '\u1c90\u1c91 \u10d0\u10d1', '\u13a0\uab70', '\U00010400\U00010428', '\U0001e900\U0001e922',
    # ideographs, kana, Hangul
    '\u4e2d\u56fd', '\u4e2d\u56fdabc\u65e5\u672c', 'abc\u4e2ddef', '\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8', '\u304c\u304e\u30d1', '\u304b\u3099', '\uff76\uff9e', '\ud55c\uad6d\uc5b4',
    '\u1112\u1161\u11ab\u1100\u116e\u11a8', '\ud55c\uae00 test', '\uac00\uac01\ud7a3', '\u3400\u4dbf', '\U00020000\U0002a6df', '\U0002a700\U0002b740\U0002b820', '\uf900\ufa0e', '\U0002f800\U0002fa1d',
    '\U00030000', '\u3005\u3007\u3021', '\u4e00\u3002\u4e8c\u3001', '\uff21\uff22\uff23 \uff41\uff42\uff43', '\uff11\uff12\uff01\uff1f', '\u3040\u30a0\u31f0', '\u3131\u3132', '\u9fff\ua000', '\u00b7\u30fb',
    # other scripts
    '\u0645\u0631\u062d\u0628\u0627', '\u0645\u064e\u0631\u0652\u062d\u064e\u0628\u064b\u0627', '\u0622\u0623\u0624', '\u061f\u060c\u061b', '\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd', '\ufb2a\ufb4b',
    '\u0928\u092e\u0938\u094d\u0924\u0947', '\u0915\u093c\u0958', '\u0964\u0965', '\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35', '\u0e33\u0e4d', '\u1019\u103c\u1014\u103a', '\u0f40\u0f72\u0f0b', '\u0baa\u0bca', '\u0b95\u0bca \u0bc6\u0bbe',
    '\u1780\u17d2\u1798', '\u1200\u1361', '\u16a0\u16eb', '\u13df', '\u2c00\u2c30', '\ua9c1\u0dca', '\u302a\u302e\u302f', '\U0001d165\U0001d167\U0001d15e',
    # signs
    '\u20ac5 \u00a310 \u00a5', '\u00a9 \u00ae \u2122', '\u2026 \u2013 \u2014', '\u00abguillemets\u00bb', '\u201ccurly\u201d \u2018quotes\u2019', '\u00bfqu\u00e9? \u00a1s\u00ed!', '\u00a7 5 \u00b6',
    '\u2190\u2192\u21d2', '\u2200x\u2208\u2115', 'a\u2260b', 'a=\u0338b', '\u221a2 \u2248 1.41', '37.5\u00b0C', '5\u2032 10\u2033', '\u2212273', '\u00d72', '\u2022 item', '\u2713 \u2717',
    # emoji
    '\U0001f600', 'ok\U0001f600ok', '\U0001f469\u200d\U0001f52c', '\U0001f44d\U0001f3fd', '\u2764\ufe0f', '1\ufe0f\u20e3', '\U0001f1e9\U0001f1ea', '\U0001d400\U0001d41a\U0001d7ce', '\U0001f170\ufe0e',
    # special tokens
    '[MASK]', 'the [MASK] has a fever', '[mask]', 'a[SEP]b', '[CLS][CLS]', '[UNK][PAD]', '[MASK', 'un[MASK]able', '[[MASK]]', '[MASK]\u0301', '\u4e2d[SEP]\u56fd',
]
# Bytes that are no UTF-8.
BYTES = ['61ff62', 'c0af', 'e28261', 'f0808080', 'eda08061', 'f4908080', '80', '61c3', 'e4b8', 'c3a9c3', '61f09f98', 'fefe']


def main():
    with open(sys.argv[1], encoding='utf-8') as f:
        real = {t.rstrip('\n'): i for i, t in enumerate(f)}
    small = {t: i for i, t in enumerate(SMALL)}
    print('{"small": %s, "cases": [' % json.dumps(SMALL))
    cases = [({'text': s}, s) for s in STRINGS]
    cases += [({'bytes': b}, bytes.fromhex(b).decode('utf-8', 'replace')) for b in BYTES]
    lines = [json.dumps(dict(given, base=encode(s, real), small=encode(s, small))) for given, s in cases]
    print(',\n'.join(lines))
    print(']}')


if __name__ == '__main__':
    main()
