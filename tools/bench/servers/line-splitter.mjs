// @ts-check
// How a line server is written where nothing splits lines for it: for Node's, Bun's and Deno's own sockets.

export class LineSplitter {
  #partial = '';

  /**
   * @param {string} text
   * @returns {string} the same lines, as far as they have come whole
   */
  answer(text) {
    const lines = (this.#partial + text).split('\r\n');
    this.#partial = lines.pop() ?? '';
    let answer = '';
    for (const line of lines) answer += `${line}\r\n`;
    return answer;
  }
}
