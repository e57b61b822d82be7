import { describe, expect, test } from 'vitest';
import { type BanRule, banRuleOf, isBanPage } from '../../src/sessions/ban.js';

const RULE: BanRule = { statuses: new Set([403]), bodyPatterns: [/access denied/i, /^captcha$/m] };
const SHOP: BanRule = { statuses: new Set([429]), bodyPatterns: [] };

test('a domain may have a rule of its own, for its sub-domains too', () => {
  const rules = { rule: RULE, domains: new Map([['shop.example', SHOP]]) };
  expect(banRuleOf('www.shop.example', rules)).toBe(SHOP);
  expect(banRuleOf('shop.example.org', rules)).toBe(RULE);
});

describe('a page is a ban', () => {
  for (const [name, page, expected] of [
    ['if a pattern is in it', '<h1>ACCESS DENIED</h1>', true],
    ['if the second one is', 'a\ncaptcha\nb', true],
    ['not otherwise', '<h1>Welcome</h1>', false],
    ['not if it is empty', '', false],
  ] as const) {
    test(name, () => expect(isBanPage(page, RULE)).toBe(expected));
  }
});
