# SPDX-License-Identifier: BSD-2-Clause
"""A page in headless Chromium, driven as a person would: real clicks and keys.

The browser is spoken to over a pipe (its DevTools protocol), so that nothing but Python's own
library is needed. What the page complains of (errors, forbidden loads) is collected.
"""
import base64, json, os, pathlib, shutil, subprocess, tempfile, time

BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')


def browser_path():
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Page:
    def __init__(self, path, fragment='', size=(1500, 950)):
        self.home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.complaints, self.last, self.pending = [], 0, b''
        commands, self.out = os.pipe()
        self.into, answers = os.pipe()

        def wire():  # the browser reads descriptor 3 and writes descriptor 4
            os.dup2(os.dup2(commands, 30), 3)
            os.dup2(os.dup2(answers, 31), 4)

        self.process = subprocess.Popen(
            [browser_path(), '--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run',
             '--disable-dev-shm-usage', '--disable-extensions', '--force-color-profile=srgb',
             f'--window-size={size[0]},{size[1]}', f'--user-data-dir={self.home.name}',
             '--remote-debugging-pipe'],
            preexec_fn=wire, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(commands)
        os.close(answers)
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        self.session = None
        self.session = self.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Runtime', 'Log', 'Page', 'Network'):
            self.call(domain + '.enable')
        self.call('Page.navigate', url=pathlib.Path(path).resolve().as_uri() + fragment)
        self.wait('document.readyState === "complete"')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.out)
        os.close(self.into)
        self.process.kill()
        self.process.wait()
        self.home.cleanup()

    def receive(self):
        while b'\0' not in self.pending:
            data = os.read(self.into, 1 << 16)
            if not data:
                raise RuntimeError('the browser is gone')
            self.pending += data
        message, _, self.pending = self.pending.partition(b'\0')
        return json.loads(message)

    def call(self, method, **params):
        self.last += 1
        message = {'id': self.last, 'method': method, 'params': params}
        if getattr(self, 'session', None):
            message['sessionId'] = self.session
        data = json.dumps(message).encode() + b'\0'
        while data:
            data = data[os.write(self.out, data):]
        while True:
            answer = self.receive()
            self.listen(answer)
            if answer.get('id') == self.last:
                if 'error' in answer:
                    raise RuntimeError(f'{method}: {answer["error"]["message"]}')
                return answer['result']

    def listen(self, message):
        method, params = message.get('method'), message.get('params', {})
        if method == 'Runtime.exceptionThrown':
            details = params['exceptionDetails']
            self.complaints.append(details.get('exception', {}).get('description') or details['text'])
        elif method == 'Log.entryAdded':
            self.complaints.append(params['entry']['text'])
        elif method == 'Network.requestWillBeSent' and not params['request']['url'].startswith('file:'):
            self.complaints.append('it asks for ' + params['request']['url'])

    def run(self, expression):
        result = self.call('Runtime.evaluate', expression=expression, returnByValue=True)
        if 'exceptionDetails' in result:
            raise RuntimeError(f'{expression}: {result["exceptionDetails"]["exception"].get("description")}')
        return result['result'].get('value')

    def wait(self, condition, seconds=20):
        end = time.monotonic() + seconds
        while not self.run(condition):
            if time.monotonic() > end:
                raise AssertionError(f'never true: {condition}')
            time.sleep(0.02)

    def text(self, selector):
        return self.run(f'(document.querySelector({json.dumps(selector)}) || {{}}).innerText')

    def count(self, selector):
        return self.run(f'document.querySelectorAll({json.dumps(selector)}).length')

    def click(self, selector):
        """Where the element is, on whatever lies on top there."""
        place = self.run(f'''(() => {{
            const node = document.querySelector({json.dumps(selector)});
            if (!node) return null;
            node.scrollIntoView({{block: "center"}});
            const box = node.getBoundingClientRect();
            return [box.x + Math.min(box.width / 2, 140), box.y + Math.min(box.height / 2, 12)];
        }})()''')
        if not place:
            raise AssertionError(f'there is no {selector}')
        for kind in ('mousePressed', 'mouseReleased'):
            self.call('Input.dispatchMouseEvent', type=kind, x=place[0], y=place[1], button='left', clickCount=1)

    def key(self, key):
        for kind in ('keyDown', 'keyUp'):
            self.call('Input.dispatchKeyEvent', type=kind, key=key,
                      **({'text': key} if len(key) == 1 and kind == 'keyDown' else {}))

    def picture(self, path):
        data = self.call('Page.captureScreenshot', format='png')['data']
        pathlib.Path(path).write_bytes(base64.b64decode(data))
