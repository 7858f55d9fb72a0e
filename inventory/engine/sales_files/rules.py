"""Which rows are no product sales, and why. The order of `ONLINE_RETAIL_CODES` decides ties."""

from __future__ import annotations

# A shop's export mixes products with everything else that stands on an invoice. A row belongs to the
# first line whose code fits, or whose description fits while the code has no run of four digits
# (product codes have one). New codes of an old kind are thus caught by their words.
ONLINE_RETAIL_CODES: tuple[tuple[str, str, str], ...] = (
    # reason, whole code (upper case), beginning of the description (upper case)
    ("postage", r"POST|DOT|C\d|CARRIAGE|DELIVERY", r"(DOTCOM )?POSTAGE|CARRIAGE|DELIVERY"),
    ("bank_charges", r"BANK CHARGES?", r"BANK CHARGE"),
    ("marketplace_fee", r"AMAZON ?FEE|CRUK|.* FEE", r"AMAZON FEE|.*\bCOMMISSION|.*\bFEE$"),
    ("manual_entry", r"M|MANUAL", r"MANUAL$"),
    ("gift_voucher", r"GIFT(_.*)?|VOUCHER.*", r".*GIFT VOUCHER"),
    ("sample", r"S|SAMPLES?", r"SAMPLES?$"),
    ("discount", r"D|DISCOUNT", r"DISCOUNT"),
    ("adjustment", r"ADJUST\d*|B", r"ADJUST"),
    ("test_row", r"TEST\d*", r"THIS IS A TEST"),
)

# Reasons whose rows may be imported as sales or returns all the same, if a shop wants them. Rows without
# a code, without a quantity or with a negative price can be no sale of anything.
KEEPABLE = frozenset(
    {
        "postage", "bank_charges", "marketplace_fee", "manual_entry", "gift_voucher", "sample",
        "discount", "adjustment", "test_row", "zero_price", "duplicate",
    }
)  # fmt: skip

# Countries as this kind of export spells them -> ISO 3166 code (used for holidays), time zone.
COUNTRIES: dict[str, tuple[str, str]] = {
    "UNITED KINGDOM": ("GB", "Europe/London"),
    "EIRE": ("IE", "Europe/Dublin"),
    "IRELAND": ("IE", "Europe/Dublin"),
    "GERMANY": ("DE", "Europe/Berlin"),
    "FRANCE": ("FR", "Europe/Paris"),
    "NETHERLANDS": ("NL", "Europe/Amsterdam"),
    "SPAIN": ("ES", "Europe/Madrid"),
    "BELGIUM": ("BE", "Europe/Brussels"),
    "SWITZERLAND": ("CH", "Europe/Zurich"),
    "PORTUGAL": ("PT", "Europe/Lisbon"),
    "AUSTRALIA": ("AU", "Australia/Sydney"),
    "SWEDEN": ("SE", "Europe/Stockholm"),
    "ITALY": ("IT", "Europe/Rome"),
    "CYPRUS": ("CY", "Asia/Nicosia"),
    "FINLAND": ("FI", "Europe/Helsinki"),
    "AUSTRIA": ("AT", "Europe/Vienna"),
    "GREECE": ("GR", "Europe/Athens"),
    "NORWAY": ("NO", "Europe/Oslo"),
    "DENMARK": ("DK", "Europe/Copenhagen"),
    "UNITED ARAB EMIRATES": ("AE", "Asia/Dubai"),
    "JAPAN": ("JP", "Asia/Tokyo"),
    "POLAND": ("PL", "Europe/Warsaw"),
    "HONG KONG": ("HK", "Asia/Hong_Kong"),
    "USA": ("US", "America/New_York"),
    "SINGAPORE": ("SG", "Asia/Singapore"),
    "MALTA": ("MT", "Europe/Malta"),
    "LITHUANIA": ("LT", "Europe/Vilnius"),
    "CANADA": ("CA", "America/Toronto"),
    "ICELAND": ("IS", "Atlantic/Reykjavik"),
    "BAHRAIN": ("BH", "Asia/Bahrain"),
    "ISRAEL": ("IL", "Asia/Jerusalem"),
    "RSA": ("ZA", "Africa/Johannesburg"),
    "BRAZIL": ("BR", "America/Sao_Paulo"),
    "THAILAND": ("TH", "Asia/Bangkok"),
    "KOREA": ("KR", "Asia/Seoul"),
    "LEBANON": ("LB", "Asia/Beirut"),
    "BERMUDA": ("BM", "Atlantic/Bermuda"),
    "NIGERIA": ("NG", "Africa/Lagos"),
    "CZECH REPUBLIC": ("CZ", "Europe/Prague"),
    "SAUDI ARABIA": ("SA", "Asia/Riyadh"),
}
NO_COUNTRY = frozenset({"", "UNSPECIFIED"})


def region_row(name: str) -> tuple[str, str, str, str] | None:
    """(code, name, holiday country, time zone) of a country's name; None where it names no country."""
    key = " ".join(name.upper().split())
    if key in NO_COUNTRY:
        return None
    if key in COUNTRIES:
        code, zone = COUNTRIES[key]
        return code, name, code, zone
    return key.replace(" ", "-")[:40], name, "", "UTC"
