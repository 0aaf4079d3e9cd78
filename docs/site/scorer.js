// How the site's search ranks what it has found. These are Sphinx's numbers, but for `score`: a declaration whose name is what was typed,
// or ends in it ("Pool.map" for mapengine.Pool.map, "mape::Pool"), comes before pages that have the words.
var Scorer = {
    score: ([docname, title, anchor, descr, score, filename, kind]) => {
        const words = (text) => text.toLowerCase().split(/[^\w]+/).filter((word) => word);
        const typed = words(new URLSearchParams(window.location.search).get("q") || "");
        const named = kind === "object" ? words(title) : [];
        const ends = typed.length > 0 && typed.join(".") === named.slice(-typed.length).join(".");
        return ends ? score + 100 : score;
    },
    objNameMatch: 11,
    objPartialMatch: 6,
    objPrio: { 0: 15, 1: 5, 2: -5 },
    objPrioDefault: 0,
    title: 15,
    partialTitle: 7,
    term: 5,
    partialTerm: 2,
};
