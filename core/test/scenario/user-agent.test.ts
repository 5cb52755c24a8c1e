import { parseUserAgent, recognizeUserAgent } from '@headwater/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

/** [browser, os, device, bot, agent], as browsers really send them. */
const AGENTS: Array<[string, string, string, boolean, string]> = [
  [
    'Chrome',
    'Windows',
    'desktop',
    false,
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  ],
  [
    'Chrome',
    'macOS',
    'desktop',
    false,
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  ],
  [
    'Chrome',
    'Linux',
    'desktop',
    false,
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  ],
  [
    'Chrome',
    'ChromeOS',
    'desktop',
    false,
    'Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  ],
  [
    'Chrome',
    'Android',
    'mobile',
    false,
    'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36',
  ],
  [
    'Chrome',
    'Android',
    'tablet',
    false,
    'Mozilla/5.0 (Linux; Android 13; SM-X700) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  ],
  [
    'Chrome',
    'iOS',
    'mobile',
    false,
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0.6478.35 Mobile/15E148 Safari/604.1',
  ],
  [
    'Edge',
    'Windows',
    'desktop',
    false,
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.2592.56',
  ],
  [
    'Edge',
    'Windows',
    'desktop',
    false,
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/64.0.3282.140 Safari/537.36 Edge/18.17763',
  ],
  [
    'Edge',
    'Android',
    'mobile',
    false,
    'Mozilla/5.0 (Linux; Android 10; HD1913) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.6478.61 Mobile Safari/537.36 EdgA/125.0.2535.51',
  ],
  [
    'Edge',
    'iOS',
    'mobile',
    false,
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 EdgiOS/125.2535.60 Mobile/15E148 Safari/605.1.15',
  ],
  [
    'Firefox',
    'Windows',
    'desktop',
    false,
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0',
  ],
  [
    'Firefox',
    'Linux',
    'desktop',
    false,
    'Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0',
  ],
  ['Firefox', 'Android', 'mobile', false, 'Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0'],
  ['Firefox', 'Android', 'tablet', false, 'Mozilla/5.0 (Android 13; Tablet; rv:127.0) Gecko/127.0 Firefox/127.0'],
  [
    'Firefox',
    'iOS',
    'mobile',
    false,
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/127.0 Mobile/15E148 Safari/605.1.15',
  ],
  [
    'Safari',
    'macOS',
    'desktop',
    false,
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15',
  ],
  [
    'Safari',
    'iOS',
    'mobile',
    false,
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1',
  ],
  [
    'Safari',
    'iOS',
    'tablet',
    false,
    'Mozilla/5.0 (iPad; CPU OS 15_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.6 Mobile/15E148 Safari/604.1',
  ],
  [
    'Opera',
    'Windows',
    'desktop',
    false,
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36 OPR/110.0.0.0',
  ],
  [
    'Opera',
    'Android',
    'mobile',
    false,
    'Mozilla/5.0 (Linux; Android 10; VOG-L29) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.6367.113 Mobile Safari/537.36 OPR/76.2.4027.73374',
  ],
  [
    'Samsung Internet',
    'Android',
    'mobile',
    false,
    'Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S921N) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36',
  ],
  [
    'Whale',
    'Windows',
    'desktop',
    false,
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Whale/3.26.244.14 Safari/537.36',
  ],
  [
    'Whale',
    'Android',
    'mobile',
    false,
    'Mozilla/5.0 (Linux; Android 13; SM-G998N) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Whale/1.0.0.0 Crosswalk/28.124.0.1 Mobile Safari/537.36',
  ],
  [
    'KakaoTalk',
    'Android',
    'mobile',
    false,
    'Mozilla/5.0 (Linux; Android 13; SM-S908N Build/TP1A.220624.014; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/124.0.6367.82 Mobile Safari/537.36 KAKAOTALK/10.8.1 (INAPP)',
  ],
  [
    'KakaoTalk',
    'iOS',
    'mobile',
    false,
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 KAKAOTALK/10.7.5 (INAPP)',
  ],
  [
    'Naver',
    'Android',
    'mobile',
    false,
    'Mozilla/5.0 (Linux; Android 13; SM-S908N Build/TP1A.220624.014; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/112.0.5615.136 Whale/1.0.0.0 Crosswalk/27.112.0.16 Mobile Safari/537.36 NAVER(inapp; search; 2000; 12.6.2)',
  ],
  [
    'Naver',
    'iOS',
    'mobile',
    false,
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4.1 Mobile/15E148 Safari/605.1 NAVER(inapp; search; 2000; 12.5.1; 15PRO)',
  ],
  [
    'Internet Explorer',
    'Windows',
    'desktop',
    false,
    'Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko',
  ],
  ['Internet Explorer', 'Windows', 'desktop', false, 'Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)'],
  [
    'Instagram',
    'iOS',
    'mobile',
    false,
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram 334.0.4.32.98 (iPhone14,5; iOS 17_5; ko_KR; ko; scale=3.00; 1170x2532; 604247854)',
  ],
  [
    'Facebook',
    'iOS',
    'mobile',
    false,
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/468.0.0.36.101;FBBV/606998921;FBDV/iPhone14,5;FBMD/iPhone;FBSN/iOS;FBSV/17.5]',
  ],
  [
    'Chrome',
    'Linux',
    'desktop',
    true,
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 Safari/537.36',
  ],
  [
    'Chrome',
    'Android',
    'mobile',
    false,
    'Mozilla/5.0 (Linux; Android 9; CUBOT_X18_Plus) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36',
  ],
  ['other', 'other', 'other', false, ''],
  ['other', 'other', 'other', false, '-'],
  ['Opera', 'Windows', 'desktop', false, 'Opera/9.80 (Windows NT 6.1; U; ko) Presto/2.12.388 Version/12.18'],
  [
    'Android Browser',
    'Android',
    'mobile',
    false,
    'Mozilla/5.0 (Linux; U; Android 4.0.3; ko-kr; LG-L160L Build/IML74K) AppleWebkit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30',
  ],
  [
    'Edge',
    'Windows',
    'mobile',
    false,
    'Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/52.0.2743.116 Mobile Safari/537.36 Edge/15.15254',
  ],
  [
    'Chrome',
    'Android',
    'other',
    false,
    'Mozilla/5.0 (Linux; Android 12; Smart TV Build/STT2) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36',
  ],
]

const BOTS = [
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 Safari/537.36',
  'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
  'Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
  'Mozilla/5.0 (compatible; Yeti/1.1; +http://naver.me/spd)',
  'facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)',
  'curl/8.5.0',
  'python-requests/2.31.0',
  'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)',
  'Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)',
  'facebookexternalhit/1.1;kakaotalk-scrap/1.0; +https://devtalk.kakao.com/t/scrap/33984',
  'Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)',
  'TelegramBot (like TwitterBot)',
  'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)',
  'WhatsApp/2.23.20.0',
  'Wget/1.21.4',
  'Go-http-client/1.1',
  'okhttp/4.12.0',
  'Mozilla/5.0 (Linux; Android 11; moto g power (2022)) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Mobile Safari/537.36 Chrome-Lighthouse',
]

describe('parseUserAgent', () => {
  test.each(AGENTS)('%s on %s (%s, bot: %s): %s', (browser, os, device, bot, agent) => {
    expect(parseUserAgent(agent)).toEqual({ browser, os, device, bot })
  })

  test.each(BOTS)('is a bot: %s', agent => {
    expect(parseUserAgent(agent).bot).toBe(true)
  })

  test('never throws and takes linear time, whatever is sent', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 600 }), agent => {
        expect(recognizeUserAgent(agent)).toEqual(parseUserAgent(agent))
      }),
    )
    for (const part of ['a', 'bo', 'cubot', 'Android; ', '/', ' ', 'Mozilla/5.0 (', '\u0130']) {
      parseUserAgent(part.repeat(65_536 / part.length))
    }
  })

  test('what is remembered stays right when there are more agents than it remembers', () => {
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 5000; i++) {
        const bot = i % 2 === 0
        expect(recognizeUserAgent(`${bot ? 'bot' : 'Chrome'}/${i}`).bot).toBe(bot)
      }
    }
  })
})
