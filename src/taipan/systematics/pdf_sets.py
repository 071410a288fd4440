"""Sets of parton densities whose weights NanoAOD keeps: which member is what.

Numbers and kinds of the sets are those of LHAPDF (https://lhapdf.hepforge.org/pdfsets), as
NanoAOD prefers them (``PhysicsTools/NanoAOD/python/genWeightsTable_cfi.py``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

UNCERTAINTY_ALPHA_S = 0.0015
"""±1σ of α_s(m_Z) as PDF4LHC15 recommends it (J. Phys. G 43, 023001)."""


@dataclass(frozen=True)
class PdfSet:
    """A set of parton densities.

    Attributes
    ----------
    name
        Of LHAPDF.
    method
        What its members are: ``hessian`` (symmetric eigenvectors) or ``replicas``.
    members
        Number of eigenvectors or replicas, which follow the central member.
    alpha_s
        Whether two members with a lower and a higher α_s follow.
    alpha_s_step
        Half the difference of their α_s, where it is known.
    """

    name: str
    method: str
    members: int
    alpha_s: bool = False
    alpha_s_step: float | None = None


PDF_SETS = {
    90900: PdfSet("PDF4LHC15_nlo_30_pdfas", "hessian", 30, True, 0.0015),
    91400: PdfSet("PDF4LHC15_nnlo_30_pdfas", "hessian", 30, True, 0.0015),
    93300: PdfSet("PDF4LHC21_40_pdfas", "hessian", 40, True, 0.001),
    260000: PdfSet("NNPDF30_nlo_as_0118", "replicas", 100),
    262000: PdfSet("NNPDF30_lo_as_0130", "replicas", 100),
    292000: PdfSet("NNPDF30_nlo_nf_4_pdfas", "replicas", 100, True, 0.001),
    292200: PdfSet("NNPDF30_nlo_nf_5_pdfas", "replicas", 100, True, 0.001),
    304400: PdfSet("NNPDF31_nnlo_as_0118_hessian", "hessian", 100),
    306000: PdfSet("NNPDF31_nnlo_hessian_pdfas", "hessian", 100, True, 0.002),
    316200: PdfSet("NNPDF31_nnlo_as_0118_mc", "replicas", 100),
    320900: PdfSet("NNPDF31_nnlo_as_0118_nf_4", "replicas", 100),
    325300: PdfSet("NNPDF31_nnlo_as_0118_mc_hessian_pdfas", "hessian", 100, True),
    325500: PdfSet("NNPDF31_nnlo_as_0118_nf_4_mc_hessian", "hessian", 100),
}
"""LHAPDF number of the central member → set."""


def find_pdf_set(title: str) -> tuple[int, PdfSet] | None:
    """Give the LHAPDF number of the first member and its set, of a title that names them.

    The central member is not always there: the set is that of the number, or of one before it.
    """
    found = re.search(r"LHA IDs?\s+(\d+)", title)
    if found is None:
        return None
    first = int(found[1])
    known = PDF_SETS.get(first) or PDF_SETS.get(first - 1)
    return None if known is None else (first, known)
