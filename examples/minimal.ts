import { CheerioCrawler, type CheerioCrawlingContext } from 'crawlee';
import { SessionProxyConfiguration } from 'crawlee-session-proxy';

const proxyConfiguration = new SessionProxyConfiguration({ proxyUrl: 'http://KEY:@127.0.0.1:8011' });
const requestHandler = ({ $ }: CheerioCrawlingContext) => console.log($('title').text());
await new CheerioCrawler(proxyConfiguration.httpCrawlerOptions({ requestHandler })).run(['https://example.com']);
await proxyConfiguration.close();
