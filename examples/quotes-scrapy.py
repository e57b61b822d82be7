"""Reads a quotes site page by page with Scrapy, https or http: the first request asks the gateway for a session
(`X-Crawlera-Session: create`), each next one sends the ID that the last response gave.

    scrapy runspider examples/quotes-scrapy.py -O quotes.json -a proxy=http://KEY:@127.0.0.1:8011
    scrapy runspider examples/quotes-scrapy.py -O quotes.json -a proxy=http://KEY:@127.0.0.1:8011 \
        -a start_url=http://quotes.toscrape.com/

Scrapy verifies no certificates unless told to, so https needs nothing more here.
"""

import scrapy


class QuotesSpider(scrapy.Spider):
    name = "quotes"
    custom_settings = {
        "AUTOTHROTTLE_ENABLED": False,  # the gateway keeps the distance between requests
        "CONCURRENT_REQUESTS": 32,  # a held request takes one of these places
        "CONCURRENT_REQUESTS_PER_DOMAIN": 32,
        "DOWNLOAD_TIMEOUT": 600,  # seconds; the gateway may hold a request back for minutes
    }

    def __init__(self, proxy, start_url="https://quotes.toscrape.com/", **kwargs):
        super().__init__(proxy=proxy, start_url=start_url, **kwargs)

    def start_requests(self):
        yield self.page(self.start_url, session="create")

    def page(self, url, session):
        return scrapy.Request(url, headers={"X-Crawlera-Session": session}, meta={"proxy": self.proxy})

    def parse(self, response):
        for quote in response.css("div.quote"):
            yield {
                "text": quote.css("span.text::text").get(),
                "author": quote.css("small.author::text").get(),
                "tags": quote.css("div.tags > a.tag::text").getall(),
            }
        for link in response.css("li.next > a::attr(href)"):
            yield self.page(response.urljoin(link.get()), session=response.headers["X-Crawlera-Session"])
