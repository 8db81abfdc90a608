"""URLs of exports, erasure and proofs."""

from django.urls import URLPattern, path

from personal.pages import erasure, exports, proofs

urlpatterns: list[URLPattern] = [
    path("settings/data/", exports.my_data, name="my_data"),
    path("settings/data/ask", exports.request_copy, name="ask_export"),
    path("settings/leave/", erasure.erasure_page, name="leave"),
    path("settings/leave/stay", erasure.withdraw, name="stay"),
    path("settings/proofs/", proofs.proofs, name="proofs"),
    path("settings/proofs/<str:proof>", proofs.show_proof, name="show_proof"),
    path("settings/proofs/<str:proof>/revoke", proofs.revoke, name="revoke_proof"),
    path("settings/proofs/<str:proof>/json", proofs.proof_json, name="proof_json"),
    path("settings/proofs/<str:proof>/pdf", proofs.proof_pdf, name="proof_pdf"),
    path("proof/", proofs.check_form, name="check_proof"),
    path("proof/<str:statement>", proofs.check_result, name="checked_proof"),
    path(".well-known/proof-keys.json", proofs.public_keys, name="proof_keys"),
    path("settings/data/<str:export>", exports.download, name="fetch_export"),
]
