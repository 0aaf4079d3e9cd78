"""Tables: of the goals for the terminal, of goals and figures for the page."""

from .goals import outcomes


def figure(value):
    """Three digits that count."""
    if value == 0:
        return "0"
    size = abs(value)
    for bound, digits in ((100, 0), (10, 1), (1, 2), (0.1, 3)):
        if size >= bound:
            return f"{value:,.{digits}f}"
    return f"{value:.2g}"


def ratio(value):
    return f"1/{figure(1 / value)}" if 0 < value < 0.1 else figure(value)


def goal_lines(results):
    """Bench, ours, against, its figure, measured, goal, met."""
    lines = []
    for outcome in outcomes(results):
        goal = outcome.goal
        name = goal.ours.removeprefix("mapengine").lstrip(", ")
        sign = "≥" if goal.at_least else "≤"
        is_ratio = outcome.peer is not None
        show = ratio if is_ratio else figure
        lines.append([
            goal.bench + (f" ({name})" if name else ""),
            f"{figure(outcome.value)} {outcome.unit}",
            f"{outcome.beside or goal.against_bench}" + (f" ({goal.against_bench})" if goal.against_bench else ""),
            f"{figure(outcome.peer)} {outcome.unit}" if is_ratio else "",
            f"× {show(outcome.measured)}" if is_ratio else "",
            f"{sign} {show(goal.limit)}" if is_ratio else f"{sign} {show(goal.limit)} {outcome.unit}",
            "met" if outcome.met else "missed",
        ])
    return lines


HEAD = ["row", "MapEngine", "beside", "its figure", "ratio", "goal", ""]


def print_goals(results):
    lines = goal_lines(results)
    if not lines:
        return
    widths = [max(len(line[i]) for line in [HEAD, *lines]) for i in range(len(HEAD))]
    for line in [HEAD, *lines]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    met = sum(line[-1] == "met" for line in lines)
    print(f"bench: {met} of {len(lines)} goals met")


def print_figures(results):
    for result in results:
        print(
            f"{result['bench']:<24} {result['system']:<52} {figure(result['value']):>10} {result['unit']:<12} "
            f"{figure(result['min'])} to {figure(result['max'])}, {result['rounds']} rounds"
        )


def markdown_table(head, lines):
    rule = ["---"] * len(head)
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *lines])


def goals_table(results):
    lines = [[*line[:-1], "met" if line[-1] == "met" else "**missed**"] for line in goal_lines(results)]
    return markdown_table(HEAD, lines)


def figures_table(results, rows):
    """Every system's median per row, with what lies between the best and the worst round."""
    lines = []
    for row in rows:
        if row.name.startswith("sweep_"):
            continue
        for result in results:
            bench, _, parameter = result["bench"].partition("/")
            if bench != row.name:
                continue
            system = result["system"] + (f", {parameter} {row.parameter}".rstrip() if parameter else "")
            lines.append([
                row.name, system, f"{figure(result['value'])} {result['unit']}",
                f"{figure(result['min'])} to {figure(result['max'])}",
            ])
    return markdown_table(["row", "system", "median", "rounds"], lines)
