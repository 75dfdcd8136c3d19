"""Reads certificates and PKCS#12 files, and makes signing requests, with Python's cryptography. Prints JSON, or PEM."""

import json
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

NO_OTHER = serialization.NoEncryption()


def describe_name(name: x509.GeneralName) -> list[str]:
    if isinstance(name, x509.OtherName):
        return ["otherName", name.type_id.dotted_string, name.value.hex()]
    return [type(name).__name__, str(name.value)]


def describe_value(value: x509.ExtensionType) -> object:
    match value:
        case x509.KeyUsage():
            flags = ["digital_signature", "key_agreement", "key_cert_sign", "crl_sign", "key_encipherment"]
            return [flag for flag in flags if getattr(value, flag)]
        case x509.CertificatePolicies():
            return [policy.policy_identifier.dotted_string for policy in value]
        case x509.ExtendedKeyUsage():
            return [usage.dotted_string for usage in value]
        case x509.SubjectAlternativeName():
            return [describe_name(name) for name in value]
        case x509.SubjectKeyIdentifier():
            return value.digest.hex()
        case x509.AuthorityKeyIdentifier():
            return value.key_identifier.hex() if value.key_identifier else None
        case x509.BasicConstraints():
            return [value.ca, value.path_length]
    raise ValueError(f"unexpected extension {value}")


def describe(path: str) -> object:
    with open(path, "rb") as file:
        certificate = x509.load_pem_x509_certificate(file.read())
    return {
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "serialNumber": f"{certificate.serial_number:x}",
        "notAfter": certificate.not_valid_after_utc.isoformat(),
        "extensions": [
            [type(extension.value).__name__, extension.critical, describe_value(extension.value)]
            for extension in certificate.extensions
        ],
    }


def open_pkcs12(path: str, password: str) -> object:
    with open(path, "rb") as file:
        content = pkcs12.load_pkcs12(file.read(), password.encode())
    key = content.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, NO_OTHER)
    certificates = [content.cert, *content.additional_certs]
    return {
        "key": key.decode(),
        "name": content.cert.friendly_name.decode(),
        "certificates": [each.certificate.public_bytes(serialization.Encoding.PEM).decode() for each in certificates],
    }


def make_csr() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "python")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(key, hashes.SHA512()).public_bytes(serialization.Encoding.PEM).decode()


COMMANDS = {"describe": describe, "open": open_pkcs12, "csr": make_csr}
result = COMMANDS[sys.argv[1]](*sys.argv[2:])
print(result if isinstance(result, str) else json.dumps(result))
