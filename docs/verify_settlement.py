"""Checks that a settlement's lines stand in closed days of the platform's book. Needs Python 3.8 and nothing else.

curl -H "Authorization: Bearer $KEY" "$BNPL/settlements/$ID/proof?limit=100" > proof.json
python3 verify_settlement.py proof.json [a day's digest that you noted earlier]
"""

import json
import sys
import uuid
from hashlib import sha256


def dashed(name):
    return str(uuid.UUID(name.partition("_")[2]))


def demand(is_so, otherwise):
    if not is_so:
        raise SystemExit(otherwise)


def check(proof, noted=""):
    days, before = {}, None
    for day in proof["days"]:
        text = f"{day['previous']}|{day['day']}|{day['postings']}|{day['top']}"
        demand(sha256(text.encode()).hexdigest() == day["digest"], f"{day['day']}: the digest is not that of the day")
        demand(before in (None, day["previous"]), f"{day['day']}: it does not follow the day before it")
        days[day["day"]], before = day["top"], day["digest"]
    demand(not noted or noted in {day["digest"] for day in proof["days"]}, "the digest that you noted is gone")
    proved = 0
    for line in proof["data"]:
        if line["posting"] is None:
            continue  # its day is open, or it is carried over
        node = sha256(b"\0" + line["posting"].encode()).digest()
        for step in line["path"]:
            other = bytes.fromhex(step["hash"])
            node = sha256(b"\1" + (other + node if step["side"] == "left" else node + other)).digest()
        demand(node.hex() == days[line["day"]], f"{line['id']}: it does not stand in its day")
        posting, _at, _kind, _n, debit, debtor, credit, creditor, amount, currency, _order = line["posting"].split("|")
        mine = sha256((dashed(posting) + dashed(proof["merchant"])).encode()).hexdigest()
        signed = int(amount) * (((credit, creditor) == ("payable", mine)) - ((debit, debtor) == ("payable", mine)))
        says = dashed(line["id"]), line["amount"], proof["currency"]
        demand((dashed(posting), signed, currency) == says, f"{line['id']}: its posting says otherwise")
        proved += 1
    print(f"{proved} of {len(proof['data'])} lines stand in the closed book.")


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        check(json.load(file), *sys.argv[2:3])
