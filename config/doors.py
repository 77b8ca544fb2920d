"""A rule for import-linter: an app is entered by the doors it names, and every other module of it is its own."""

from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class DoorsContract(Contract):
    """`app` is a package; `doors` are the modules of it (with what lies below them) that others may import."""

    app: Any = fields.StringField()  # a descriptor: read from an instance it is a str
    doors: Any = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        trespasses = [
            (importer, module, detail["line_number"], detail["line_contents"])
            for module in sorted({self.app, *graph.find_descendants(self.app)})
            if not self.is_door(module)
            for importer in sorted(graph.find_modules_that_directly_import(module))
            if not lies_in(importer, self.app)
            for detail in graph.get_import_details(importer=importer, imported=module)
        ]
        return ContractCheck(kept=not trespasses, metadata={"trespasses": trespasses})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, module, line, text in check.metadata["trespasses"]:
            output.print_error(f"{importer} line {line} enters {module}, which is not a door: {text}")

    def is_door(self, module: str) -> bool:
        return any(lies_in(module, f"{self.app}.{door}") for door in self.doors)


def lies_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")
