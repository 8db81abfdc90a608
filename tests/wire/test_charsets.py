"""Charsets in Content-Type: only UTF-8 or none is accepted."""

import json

import pytest

from bnpl.gateway import Gateway
from bnpl.wsgi import application
from tests.wire.test_gateway import Names, Protocol, Scope, answered

SMUGGLED = (
    "a/b; charset=undefined",
    "application/json;charset=latin-1",
    'application/json; charset="gbk"',
    "application/json; CHARSET = utf-16",
    "application/json; charset='punycode'",
    "application/json; charset*=punycode''utf-8",
    "application/json; charset*0=puny; charset*1=code",
    "application/json; charset=utf-8; charset=unicode_escape",
    "multipart/form-data; boundary=x; charset=punycode",
)
PLAIN = {
    "application/json": "application/json",
    "Application/JSON; charset=UTF-8": "application/json",
    'application/json; charset="utf-8"; v=1': "application/json",
    "application/x-www-form-urlencoded;charset=utf8": "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x": "multipart/form-data",
    ";;;": "",
    "": "",
}


def scope(said: str, path: str = "/v1/orders", method: str = "POST", query: str = "") -> Scope:
    return Scope(
        path=path, method=method, headers=Names([("host", "127.0.0.1"), ("content-type", said)]), query_string=query
    )


@pytest.mark.parametrize("said", SMUGGLED)
def test_another_charset_is_refused(said: str) -> None:
    answer = answered(scope(said))
    assert answer.status == 400
    assert json.loads(answer.body)["detail"] == "Only UTF-8 is read."


@pytest.mark.parametrize(("said", "seen"), PLAIN.items())
def test_the_kind_alone_is_passed_on(said: str, seen: str) -> None:
    assert json.loads(answered(scope(said)).body)["CONTENT_TYPE"] == seen


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/healthz", "/v1/orders", "/", "/v1/openapi.json", "/account/login/", "/docs/"])
@pytest.mark.parametrize(
    "said", ["a/b; charset=undefined", "a/b; charset=unicode_escape", "multipart/form-data; boundary=x"]
)
def test_no_header_makes_an_error_of_ours(path: str, said: str) -> None:
    front = Gateway(application)
    for method, body in (("GET", b""), ("POST", b'--x\r\nContent-Disposition: form-data; name="q"\r\n\r\n1\r\n--x--')):
        asked = scope(said, path, method, query=r"q=\ud800&next=\ud800")
        asked.headers.fields.append(("content-length", str(len(body))))
        answer = answered(asked, Protocol([body]), app=front.app)
        getattr(answer.body, "close", bool)()
        assert answer.status < 500
