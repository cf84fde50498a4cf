"""Reading what a user brings: plain text in the encodings that occur, TEI, and files that must be refused."""

import pytest

from wake2vec.errors import UserError
from wake2vec.text.source import read_source, require_source

KEY = "corpora.wake.files.0.path"


def refused(path, **options) -> str:
    with pytest.raises(UserError) as caught:
        read_source(path, KEY, **options)
    assert KEY in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


@pytest.fixture
def write(tmp_path):
    def write(name: str, data: bytes):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


def test_utf8_is_read_as_it_is_without_its_byte_order_mark(write):
    assert read_source(write("a.txt", "\ufeffriver’s\r\n café ".encode())) == "river’s\r\n café "


def test_utf16_is_known_by_its_byte_order_mark(write):
    assert read_source(write("a.txt", "été".encode("utf-16"))) == "été"


def test_a_named_encoding_is_used(write):
    assert read_source(write("a.txt", "café’s".encode("cp1252")), encoding="cp1252") == "café’s"


def test_a_missing_file_names_the_key_the_place_and_a_near_miss(write):
    path = write("wake.txt", b"x").with_name("wakk.txt")
    message = refused(path)
    assert 'Did you mean "wake.txt"?' in message and "Put the text there" in message
    with pytest.raises(UserError):
        require_source(path, KEY)


def test_a_folder_is_refused(tmp_path):
    assert "is a folder" in refused(tmp_path)


def test_a_wrong_encoding_names_line_and_byte_and_shows_the_candidates(write):
    message = refused(write("a.txt", "one\ntwo\ncafé’s end\n".encode("cp1252")))
    assert "line 3" in message and "0xe9" in message and "cp1252: “café’s end”" in message


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"%PDF-1.7 \xff", "PDF"),
        (b"PK\x03\x04\xff", "EPUB"),
        (b" \n\t ", "no text"),
        (b"\xef\xbb\xbf", "no text"),
        ("wide".encode("utf-16-le"), "NUL"),
        (b"<?xml version='1.0'?><TEI/>", "XML"),
    ],
)
def test_what_is_no_plain_text_is_refused(write, data, said):
    assert said in refused(write("a.txt", data))


def test_an_unknown_encoding_is_refused(write):
    assert "klingon" in refused(write("a.txt", b"x"), encoding="klingon")


# TEI -----------------------------------------------------------------------------------------------------------------

EDITION = """<?xml version="1.0" encoding="UTF-8"?>
<TEI xmlns="http://www.tei-c.org/ns/1.0">
 <teiHeader><fileDesc><titleStmt><title>not text</title></titleStmt></fileDesc></teiHeader>
 <text>
  <front><p>not text</p></front>
  <body>
   <div><head>The River</head>
    <pb n="3"/><fw type="head">not text</fw>
    <p>The <choice><sic>rivr</sic><corr>river</corr></choice> ran <hi rend="it">fast</hi><note>not
       text</note>, pas-<lb/>sencore <choice><reg>says</reg><orig>sez</orig></choice> he<lb/>and
       un<lb break="no"/>known &amp; on.</p>
    <lg><l>first   line</l>
        <l>second <choice><abbr>Mr</abbr><expan>Mister</expan></choice><del>not text</del></l></lg>
    <sp><speaker>Anna</speaker><p>What <app><lem>now</lem><rdg>not text</rdg></app>?</p></sp>
   </div>
  </body>
  <back><p>not text</p></back>
 </text>
</TEI>"""


def test_tei_keeps_the_reading_text_of_the_body(write):
    expected = (
        "The River\n\nThe river ran fast, pas-\nsencore says he and unknown & on.\n\n"
        "first line\nsecond Mister\n\nAnna\n\nWhat now?\n"
    )
    assert read_source(write("a.xml", EDITION.encode())) == expected
    assert read_source(write("a.tei", EDITION.replace("UTF-8", "UTF-16").encode("utf-16"))) == expected


def test_a_known_entity_of_an_outside_dtd_is_a_character_and_nothing_is_fetched(write):
    edition = (
        '<!DOCTYPE TEI SYSTEM "http://127.0.0.1:9/tei.dtd"><TEI><text><body><p>a&mdash;b{}</p></body></text></TEI>'
    )
    assert read_source(write("a.xml", edition.format("").encode())) == "a—b\n"
    assert "undefined entity" in refused(write("a.xml", edition.format("&zorg;").encode()))


def test_billion_laughs_are_refused_before_they_expand(write):
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
    bomb = f'<!DOCTYPE TEI [<!ENTITY l0 "ha">{laughs}]><TEI><text><body><p>&l11;</p></body></text></TEI>'
    assert "declares an entity (l0)" in refused(write("a.xml", bomb.encode()))


@pytest.mark.parametrize(
    "entity", ['<!ENTITY e SYSTEM "file:///etc/passwd">', '<!ENTITY % e SYSTEM "http://127.0.0.1:9/">']
)
def test_outside_entities_are_refused(write, entity):
    assert "declares an entity (e)" in refused(
        write("a.xml", f"<!DOCTYPE TEI [{entity}]><TEI><text><body><p>x</p></body></text></TEI>".encode())
    )


@pytest.mark.parametrize(
    ("xml", "said"),
    [
        ("<TEI><text><body><p>a</body></text></TEI>", "line 1: not well-formed"),
        ("", "not well-formed"),
        ("<html><p>x</p></html>", "<html>"),
        ("<TEI><text><body/></text></TEI>", "no text"),
        ('<?xml version="1.0" encoding="klingon"?><TEI/>', "klingon"),
        ("<a>" * 100_000, "nested"),
    ],
)
def test_xml_that_is_no_edition_is_refused(write, xml, said):
    assert said in refused(write("a.xml", xml.encode()))
