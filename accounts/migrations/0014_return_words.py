from django.db import migrations

WORDS = [
    (
        "return_refused",
        ("{merchant} 未接受退货“{what}”", "【先享后付】{merchant} 未接受您的退货“{what}”（{amount}）：{reason}。我们会核实并决定，在此之前您无需付款。详情：{link}"),
        (
            "{merchant} has not accepted your return of “{what}”",
            "{merchant} has not accepted your return of “{what}” ({amount}): {reason}. We look into it and decide; until then"
            " nothing is asked of you. More: {link}",
        ),
    ),
    (
        "return_denied",
        ("退货“{what}”未成立，请退还 {amount}", "【先享后付】经核实，您的退货“{what}”未成立：{reason}。先行退给您的 {amount} 需要退还，不会自动扣款，请主动支付：{link}"),
        (
            "Your return of “{what}” was not accepted: {amount} to pay",
            "We have looked into your return of “{what}”, and it does not stand: {reason}. The {amount} that went back to you"
            " ahead of it is owed again. Nothing is deducted by itself; please pay here: {link}",
        ),
    ),
    (
        "return_ended",
        ("退货“{what}”未成立", "【先享后付】经核实，您的退货“{what}”（{amount}）未成立：{reason}。原有欠款照常处理，各日期相应顺延。详情：{link}"),
        (
            "Your return of “{what}” was not accepted",
            "We have looked into your return of “{what}” ({amount}), and it does not stand: {reason}. What you owe goes on as"
            " it was, each date later by the time that passed. More: {link}",
        ),
    ),
]
ROWS = [
    (f"01932c07-0000-7000-8000-{14000 + number:012x}", key, language, subject, body)
    for number, (key, language, (subject, body)) in enumerate(
        (key, language, words) for key, zh, en in WORDS for language, words in (("zh-hans", zh), ("en", en))
    )
]


class Migration(migrations.Migration):
    """The first words of what a person hears of a return that its merchant did not take."""

    dependencies = [("accounts", "0013_contacts")]
    operations = [
        migrations.RunSQL(
            [
                (
                    "INSERT INTO accounts_noticetemplate (id, key, language, version, subject, body, by, at)"
                    " VALUES (%s, %s, %s, 1, %s, %s, 'system:migration', now())",
                    list(row),
                )
                for row in ROWS
            ],
            migrations.RunSQL.noop,
        ),
    ]
