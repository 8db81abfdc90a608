import hashlib

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed

from benchmarks.baselines.naive.models import ApiKey


class KeyAuthentication(BaseAuthentication):
    def authenticate(self, request):
        secret = request.headers.get("Authorization", "").removeprefix("Bearer ")
        digest = hashlib.sha256(secret.encode()).hexdigest()
        try:
            key = ApiKey.objects.select_related("merchant").get(digest=digest, revoked_at__isnull=True)
        except ApiKey.DoesNotExist:
            raise AuthenticationFailed from None
        return key.merchant, key
