"""−ln L of an HS3 document at several points by RooFit; run by the Python that has ROOT.

Arguments: the document, and a file with a JSON list of points (name → value). Prints a JSON list.
Terms that do not depend on the parameters are left out: compare differences.
"""

import json
import math
import sys

import ROOT

ROOT.RooMsgService.instance().setGlobalKillBelow(ROOT.RooFit.ERROR)
document, points = sys.argv[1:]
workspace = ROOT.RooWorkspace("workspace")
if not ROOT.RooJSONFactoryWSTool(workspace).importJSON(document):
    sys.exit(f"RooFit does not read {document}")
model = workspace.obj("analysis")
external = model.GetExternalConstraints()
constraints = {item.GetName(): item for item in external or ()}  # shared ones count once
regions = []
for data in workspace.allData():
    parts = workspace.pdf(data.GetName().replace("obsData_", "model_", 1)).pdfList()
    for part in parts:
        if part.dependsOn(data.get()):
            regions.append(part.createNLL(data, Extended=True))
        else:
            constraints[part.GetName()] = part
found = []
with open(points, encoding="utf-8") as file:
    for point in json.load(file):
        for name, value in point.items():
            variable = workspace.var(name)
            variable.removeRange()
            variable.setVal(value)
        terms = [-math.log(item.getVal()) for item in constraints.values()]
        found.append(sum(terms) + sum(region.getVal() for region in regions))
print(json.dumps(found))
