"""Where people fetch, show and erase what is their own."""

from django.urls import URLPattern, path

from personal.pages import data, leave, proof

urlpatterns: list[URLPattern] = [
    path("settings/data/", data.my_data, name="my_data"),
    path("settings/data/ask", data.ask, name="ask_export"),
    path("settings/leave/", leave.leave, name="leave"),
    path("settings/leave/stay", leave.stay, name="stay"),
    path("settings/proofs/", proof.proofs, name="proofs"),
    path("settings/proofs/<str:proof>", proof.shown, name="show_proof"),
    path("settings/proofs/<str:proof>/revoke", proof.revoke, name="revoke_proof"),
    path("settings/proofs/<str:proof>/json", proof.as_json, name="proof_json"),
    path("settings/proofs/<str:proof>/pdf", proof.as_pdf, name="proof_pdf"),
    path("proof/", proof.check, name="check_proof"),
    path("proof/<str:statement>", proof.checked, name="checked_proof"),
    path(".well-known/proof-keys.json", proof.keys, name="proof_keys"),
    path("settings/data/<str:export>", data.fetch, name="fetch_export"),
]
