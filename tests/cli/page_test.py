#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""page_test.py PAGE CLAIM: one claim about a page that skep check --html wrote, in a browser."""
import json, pathlib, re, sys

from browser import Page


def insn_with(page, text):
    """The first instruction of that text, by its index."""
    return page.run(f'''(() => {{
        const row = [...document.querySelectorAll("[data-pc]")].find((r) => r.querySelector(".text").innerText.includes({json.dumps(text)}));
        return row ? Number(row.dataset.pc) : null;
    }})()''')


def opens_at_the_rejection(page):
    assert page.text('#verdict') == 'rejected', page.text('#verdict')
    assert "R0 invalid mem access 'map_value_or_null'" in page.text('#why .message')
    assert 'loop.bpf.c:49' in page.text('#why .where')
    assert page.count('.row.rejected.selected') == 1
    assert 'Rejected here' in page.text('#state')
    assert page.text('#state [data-part="0/r0"]').split(None, 1)[1].startswith('map_value_or_null')
    assert '*value += key' in page.text('#source .row.selected .text')
    # the events of the way there lead to the instructions they tell of
    assert page.count('#why li a') >= 2
    page.click('#why li a')
    assert page.count('.row.rejected.selected') == 0
    page.key('x')
    assert page.count('.row.rejected.selected') == 1


def shows_the_state_at_the_instruction_clicked(page):
    call = insn_with(page, 'call bpf_map_lookup_elem')
    page.click(f'[data-pc="{call}"]')
    assert page.count('.row.selected[data-pc]') == 1
    assert page.text('#state .insn').startswith(f'{call}: call bpf_map_lookup_elem')
    assert page.text('#state [data-part="0/r1"]').split() [1] == 'map_ptr'
    assert 'map=seen' in page.text('#state [data-part="0/r1"]')
    assert page.text('#state [data-part="0/r2"]').split() == ['r2', 'fp-4']
    # what the call makes of r0 stands under the way on
    assert 'map_value_or_null' in page.run('''[...document.querySelectorAll("#state tr")].find((r) => r.cells[0].innerText === "r0").innerText''')
    assert re.fullmatch(r'visit 1 of \d+', page.text('#visit'))


def source_and_instructions_are_linked(page):
    page.run('document.querySelector("[data-line] .caret")')
    line = page.run('[...document.querySelectorAll("[data-line]")].find((r) => r.innerText.includes("bpf_map_lookup_elem") && !r.classList.contains("plain")).dataset.line')
    page.click(f'[data-line="{line}"]')
    assert f':{line}' in page.text('#state .line')
    first = page.run('document.querySelector(".row.selected[data-pc]").dataset.pc')
    assert page.count('.row.linked[data-pc]') >= 1
    page.click(f'[data-line="{line}"]')
    assert page.run('document.querySelector(".row.selected[data-pc]").dataset.pc') != first
    # the file itself was there to be read: also lines without instructions are shown
    assert page.run('[...document.querySelectorAll("#source .row")].some((r) => r.innerText.includes("__uint(max_entries, 16)"))')


def every_visit_can_be_looked_at(page):
    page.run('location.hash = "#0"')
    page.wait('document.querySelector("#program").value === "0"')
    many = page.run('''Number([...document.querySelectorAll("[data-pc]")].map((r) => [Number(r.querySelector(".heat").innerText), r.dataset.pc]).sort((a, b) => b[0] - a[0])[0][1])''')
    page.click(f'[data-pc="{many}"]')
    total = int(page.text('#visit').split()[-1])
    assert total > 1, page.text('#visit')
    states = {page.text('#state')}
    for n in range(2, total + 1):
        page.click('#visit-next')
        assert page.text('#visit') == f'visit {n} of {total}'
        states.add(page.text('#state'))
    assert len(states) == total
    assert page.run('document.querySelector("#visit-next").disabled')
    page.key('p')
    assert page.text('#visit') == f'visit {total - 1} of {total}'


def keys_walk_along_the_path(page):
    page.key('g')
    step = int(re.search(r'step (\d+) of', page.text('#state'))[1])
    page.key('ArrowLeft')
    assert int(re.search(r'step (\d+) of', page.text('#state'))[1]) < step
    page.key('ArrowRight')
    assert int(re.search(r'step (\d+) of', page.text('#state'))[1]) == step
    page.key('[')
    assert page.text('#verdict') == 'accepted'
    page.key('j')
    assert page.text('#state .insn').startswith('1: ')


def the_graph_shows_loops(page):
    page.run('location.hash = "#0"')
    page.wait('document.querySelector("#program").value === "0"')
    start = page.run('''document.querySelector(".name-row ~ .row[data-pc]") && Number([...document.querySelectorAll(".name-row")].find((r) => r.innerText.startsWith("weigh")).nextSibling.dataset.pc)''')
    page.click(f'[data-pc="{start}"]')
    page.click('#tab-graph')
    assert page.count('#graph .block') >= 3
    assert page.count('#graph .edge.back') >= 1
    assert page.run(f'document.querySelector(".block.selected").dataset.block') == str(start)
    # blocks do not lie on one another
    boxes = page.run('[...document.querySelectorAll("#graph .block")].map((b) => { const r = b.getBoundingClientRect(); return [r.x, r.y, r.right, r.bottom]; })')
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            assert a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3], (a, b)
    other = page.run(f'[...document.querySelectorAll(".block")].find((b) => b.dataset.block !== "{start}").dataset.block')
    page.click(f'.block[data-block="{other}"] rect')
    assert page.run('document.querySelector(".row.selected[data-pc]").dataset.pc') == other


def ends_of_paths_say_what_covers_them(page):
    page.run('location.hash = "#0"')
    page.wait('document.querySelector("#program").value === "0"')
    page.click('#tab-paths')
    ends = page.text('#paths')
    assert 'the program ends' in ends and 'covered by step' in ends, ends
    row = page.run('[...document.querySelectorAll("#paths tbody tr")].find((r) => r.innerText.includes("covered")).dataset.visit')
    page.click(f'#paths tr[data-visit="{row}"] td')
    assert 'The path ends here' in page.text('#state')
    assert 'kept state' in page.text('#state')


def nothing_in_names_or_source_is_markup(page):
    assert page.run('window.broken === undefined')
    assert page.count('script') == 2 and page.count('img') == 0 and page.count('b.hostile') == 0
    names = page.text('#program')
    assert '<b class="hostile">' in names, names
    assert page.run('document.title').startswith('</title><img') or '</title><img' in page.text('#source')


CLAIMS = [opens_at_the_rejection, shows_the_state_at_the_instruction_clicked, source_and_instructions_are_linked,
          every_visit_can_be_looked_at, keys_walk_along_the_path, the_graph_shows_loops,
          ends_of_paths_say_what_covers_them, nothing_in_names_or_source_is_markup]

if __name__ == '__main__':
    claims = [claim for claim in CLAIMS if claim.__name__ in sys.argv[2:]]
    assert len(claims) == len(sys.argv) - 2, 'no such claim'
    for claim in claims:
        with Page(sys.argv[1]) as page:
            claim(page)
            assert not page.complaints, page.complaints
