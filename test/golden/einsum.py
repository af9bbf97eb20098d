"""Golden values for sums of products by letters.  Run: python3 einsum.py"""
import torch
from golden import case, save

cases = []
for equation, *shapes in [
    ("ij,jk->ik", [3, 5], [5, 4]), ("bij,bjk->bik", [2, 3, 4], [2, 4, 5]), ("bhqd,bhkd->bhqk", [2, 2, 3, 4], [2, 2, 5, 4]), ("i,j->ij", [3], [5]),
    ("ij->ji", [3, 4]), ("ij->", [3, 4]), ("ij->j", [3, 4]), ("ii->i", [4, 4]), ("ii", [3, 3]), ("bii->b", [2, 3, 3]), ("i,i", [5], [5]), ("ij,ij->i", [3, 4], [3, 4]),
    ("ij,jk", [3, 4], [4, 2]), ("...ij,...jk->...ik", [2, 1, 3, 4], [5, 4, 2]), ("...i->...", [2, 3, 4]), ("nhwc,cd->nhwd", [1, 2, 3, 4], [4, 5]),
    ("ij,jk,kl->il", [2, 3], [3, 4], [4, 2]), ("ijk,ij->k", [2, 3, 4], [2, 3]), ("ab,cd->ac", [2, 3], [4, 5]), ("ij,jk->ki", [3, 1], [5, 4]), ("bi,bj,b->ij", [3, 2], [3, 4], [3]),
]:
    inputs = [{"shape": s, "seed": i + 1} for i, s in enumerate(shapes)]

    def run(*x):
        # torch sums a repeated extent of 1 against a longer one as NumPy broadcasts it.
        y = torch.einsum(equation, *x)
        return y.reshape(1) if y.dim() == 0 else y

    cases.append(case("einsum", {"equation": equation}, inputs, run))
save("einsum", cases)
