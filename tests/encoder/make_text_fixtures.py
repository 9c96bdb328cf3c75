#!/usr/bin/env python3
"""Writes tests/data/encoder/: a small SentencePiece model, the ids it gives, and what ftfy and html make of texts.

Needs the oracle environment of tools/setup (sentencepiece, transformers, ftfy 6.3); not part of the build. Files:
tiny.model; token_ids.tsv, the ids by transformers and the cleaned text; clean_prompts.tsv, mojibake.tsv and entities.tsv,
each line input and expected output. Texts are JSON strings. Run from anywhere:
tests/encoder/make_text_fixtures.py
"""
import html
import json
import pathlib
import re
import shutil
import tempfile

import ftfy
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from transformers import T5TokenizerFast

OUT = pathlib.Path(__file__).resolve().parents[1] / "data" / "encoder"

SENTENCES = [
    "A fluffy orange cat sleeps on a sunlit windowsill while snow falls outside.",
    "Drone shot over a rocky coastline at dawn, waves crashing, cinematic lighting, 4k.",
    "Close-up of an elderly woman's hands kneading dough; flour drifts in the air.",
    "The camera slowly pans across a neon-lit street in the rain - people hurry past.",
    "Ein alter Mann überquert langsam die Straße, während es schneit.",
    "Größere Wellen brechen über die Küste; Möwen kreischen am grauen Himmel.",
    "Une fillette court à travers un champ de blé doré, caméra à l'épaule.",
    "L'été dernier, nous avons vu des forêts brûlées près de l'Ardèche.",
    "Un niño pequeño salta sobre charcos después de la lluvia en España.",
    "¿Dónde está el perro? ¡Corre por la playa al atardecer!",
    "Uma menina olha para o mar; o sol põe-se atrás das montanhas. NÃO há ninguém.",
    "Il ragazzo è già partito, perché la città è più bella di notte.",
    "Żółta łódź płynie po spokojnym jeziorze wśród gęstej mgły.",
    "Příliš žluťoučký kůň úpěl ďábelské ódy nad ránem.",
    "Árvíztűrő tükörfúrógép egy sötét műhelyben.",
    "Küçük bir çocuk yağmurda şemsiyesiyle koşuyor, ışıklar parlıyor.",
    "En gammal fiskebåt gungar på vågorna i solnedgången, måsar överallt.",
    "Smørrebrød på et træbord, dampende kaffe og en rød kaffekande.",
    "Маленькая девочка бежит по осеннему парку, листья кружатся в воздухе.",
    "Старий кіт спить на підвіконні, а за вікном падає сніг.",
    "Ένα λευκό άλογο καλπάζει στην παραλία το ηλιοβασίλεμα.",
    "ילד קטן רץ בגשם ברחובות העיר העתיקה.",
    "طفل صغير يركض على الشاطئ عند غروب الشمس.",
    "एक छोटा बच्चा बारिश में दौड़ रहा है।",
    "เด็กน้อยวิ่งเล่นบนชายหาดยามพระอาทิตย์ตก",
    "一只橘猫在阳光下的窗台上睡觉,窗外下着雪。",
    "色调艳丽,过曝,静态,细节模糊不清,字幕,风格,作品,画作,画面,静止,整体发灰",
    "雨の中、ネオンが光る東京の街を人々が急いで歩いている。",
    "비 오는 밤, 네온 불빛 아래로 사람들이 우산을 쓰고 걸어간다.",
    "Một cậu bé chạy dưới mưa trên đường phố Hà Nội.",
    "A rocket lifts off 🚀 and the crowd cheers 🎉👏🏽 under a 🌈.",
    "Family portrait 👨‍👩‍👧‍👦 in the garden, café au lait on the table.",
]

# The tiny model scores two ways of cutting "été" alike, and versions of SentencePiece choose differently.
TIE = SENTENCES[7]

EXTRA = [
    "", " ", "   leading and trailing   ", "tabs\tand\nnew lines\r\nhere", "ALL CAPS PROMPT!!!", "a", "é",
    "non-breaking\u00a0space and\u2003em space", "“Curly” ‘quotes’ and an apostrophe’s tale", "fin – dash — ellipsis…",
    "ﬁrst ﬂight of the oﬃcial ﬂag", "Ｆｕｌｌ　ｗｉｄｔｈ １２３", "½ cup, 5 °C, £20, €30, ¥500, 10 µm", "CAFÉ» «À PARIS»",
    "À° Ñ", "zero\u200bwidth\u200djoiner", "soft\u00adhyphen", "\ufeffbyte order mark", "bell\x07 and escape\x1b[31mred\x1b[0m",
    "control\x01\x02 characters\x7f", "e\u0301 a\u0308 decomposed", "ångström Å and Å", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "x² + y³ = z⁴", "™ ® ©",
    "line\u2028separator\u2029paragraph", "C1 \x85 control \x93quoted\x94", "AT&T and R&B; Q&A", "1 < 2 &amp; 3 > 2", "emoji: ☀️ ❤️ ✈️",
    "a" * 3000, "word " * 800, "日本語" * 300, "«Bonjour» ‹ici› „unten“", "naïve façade, jalapeño, smörgåsbord", "Œuvre Æsir ŒUVRE",
    "\ud7ff\ue000 private", "\U0001F9D1\u200D\U0001F680 astronaut", "ǆ ǅ Ǆ ĳ ŉ", "ﾊﾝｶｸ ｶﾀｶﾅ", "IRMÃO, MÃE E PÃO", "O FATĂ…", "IRMÃ…", "«É»", "5′ 6″ × 3",
    "café…»", "что…»", "prêt…»", "¬ § ¶ ¦", "ÀÈÌÒÙ", "ÄÖÜß", "PIÙ", "l’École",
]

ENTITIES = [
    "&lt;b&gt;bold&lt;/b&gt;", "&amp;amp;", "&amp;amp;amp;lt;", "&eacute;t&eacute;", "&EACUTE;TUDE &NTILDE;", "caf&eacute &amp th&eacute",
    "&#233;&#xe9;&#XE9;", "&#8217;s &#x2014;", "&#128; &#150;", "&#0; &#xD800; &#x110000; &#99999999999;", "&#11;&#1;x", "&nbsp;x&nbsp;",
    "&notit; &notin; &not", "&hellip;&mdash;&rsquo;", "&unknown; &; &#; &#x; &", "a&lt;b <i>&lt;c</i>", "&Aacute&aacute;",
    "&quot;quoted&quot; &apos;single&apos;", "&copy2024 &reg;", "&#65x &#x41y", "&CounterClockwiseContourIntegral;", "&ThisNameIsMuchTooLongToBeAReference;",
    "&AMP; &LT; &GT; &QUOT;", "R&D &ampere; &ltfoo", "&zwj;&zwnj;&shy;x", "&Ntilde;&ntilde;", "&#38;lt;", "&#x26;#38;amp;", "&frac12; &sup2;", "&fjlig;",
]

ENCODINGS = ["latin-1", "sloppy-windows-1252", "sloppy-windows-1251", "sloppy-windows-1250", "sloppy-windows-1253",
             "sloppy-windows-1254", "sloppy-windows-1257", "iso-8859-2", "macroman", "cp437"]

ACCENTED = SENTENCES[4:] + ["It’s a “test” – really…", "café", "Crème brûlée", "5 °C", "£20", "€30", "über", "São Paulo", "Привет", "naïve"]


def basic_clean(text):
    """The cleaning of Wan's prompter."""
    text = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    return re.sub(r"\s+", " ", text).strip()


def mojibake():
    """Texts whose UTF-8 was read in another encoding, once or twice, whole or in part."""
    for text in ACCENTED:
        for encoding in ENCODINGS:
            try:
                yield text.encode().decode(encoding)
            except UnicodeDecodeError:
                continue
        for encoding in ("latin-1", "sloppy-windows-1252"):
            yield text.encode().decode(encoding).encode().decode(encoding)
    for good in ("naïve ", "“quoted” ", "日本 "):
        for text in ACCENTED[-10:]:
            yield good + text.encode().decode("sloppy-windows-1252")
    yield from ("voilÃ  le chat", "Ã  la carte", "lâ€™Ã©tÃ© Ã  Paris", "doesnâ€™t â€œworkâ€\x9d", "sÃ³ nÃ£o", "É° À° Ñ", "Â©Â®", "10Â°C Â£5")


def write_pairs(name, inputs):
    lines = [json.dumps(text) + "\t" + json.dumps(basic_clean(text)) + "\n" for text in dict.fromkeys(inputs)]
    (OUT / name).write_text("".join(lines))
    print(name, len(lines))


def forget_paths(path):
    """The model remembers where its corpus lay; equal corpora shall give equal files."""
    model = sentencepiece_model_pb2.ModelProto.FromString(path.read_bytes())
    model.trainer_spec.ClearField("input")
    model.trainer_spec.ClearField("model_prefix")
    path.write_bytes(model.SerializeToString())


def write_tokens():
    corpus = OUT / "corpus.txt"
    corpus.write_text("\n".join(SENTENCES * 4))
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(OUT / "tiny"), vocab_size=900, model_type="unigram", byte_fallback=True,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, character_coverage=1.0, hard_vocab_limit=False, minloglevel=2,
        normalization_rule_name="nmt_nfkc",
    )
    forget_paths(OUT / "tiny.model")
    corpus.unlink()
    (OUT / "tiny.vocab").unlink()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(OUT / "tiny.model", folder + "/spiece.model")
        fast = T5TokenizerFast.from_pretrained(folder, extra_ids=0)
    model = sentencepiece.SentencePieceProcessor(model_file=str(OUT / "tiny.model"))
    texts = SENTENCES + [s.upper() for s in SENTENCES[:10]] + EXTRA + list(mojibake())[::12]
    texts = [t for t in texts if basic_clean(t) != TIE]
    with open(OUT / "token_ids.tsv", "w") as out:
        for text in dict.fromkeys(map(basic_clean, texts)):
            ids = fast(text, truncation=True, max_length=512).input_ids
            plain = model.encode(text)[:511] + [1]
            assert ids == plain or any(map(model.is_byte, plain)), text
            out.write(" ".join(map(str, ids)) + "\t" + json.dumps(text) + "\n")


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    write_tokens()
    variants = [s.upper() for s in SENTENCES[:24]] + ["  " + s + "  " for s in SENTENCES]
    pieces = [p for s in SENTENCES for p in re.split(r"(?<=[,;.:?!])\s", s) if p != s]
    write_pairs("clean_prompts.tsv", SENTENCES + variants + pieces + EXTRA)
    write_pairs("entities.tsv", ENTITIES)
    write_pairs("mojibake.tsv", mojibake())


if __name__ == "__main__":
    main()
