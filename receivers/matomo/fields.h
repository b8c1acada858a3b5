/* What a hit becomes: every column of StreamSteam under its own name and type, then the rest of the protocol.
   The order is the order of the line (event_id, received_at and event_type always stand first). */
#ifndef MATOMO_FIELDS_H
#define MATOMO_FIELDS_H

#include "streamsteam/plugin.h"

/* F(enumerator, name, type, source, doc) */
#define MATOMO_FIELDS(F)                                                                                     \
    F(EVENT_ID, "event_id", STRING, NULL, "Unique id of the event, a UUID version 7.")                       \
    F(RECEIVED_AT, "received_at", TIMESTAMP, NULL, "When the server received the request.")                  \
    F(EVENT_TYPE, "event_type", STRING, NULL,                                                                \
      "What happened: pageview, event, content_impression, content_interaction, outlink, download, "         \
      "site_search, goal, ecommerce_order, ecommerce_cart, ping, media, crash, bot or custom.")              \
    F(SITE_ID, "site_id", STRING, "idsite", "Website id.")                                                   \
    F(EVENT_DATETIME, "event_datetime", DATETIME, "cdt", "When it happened, UTC.")                           \
    F(EVENT_DATETIME_SOURCE, "event_datetime_source", STRING, NULL,                                          \
      "Whose clock event_datetime is: server or client.")                                                    \
    F(VISITOR_ID, "visitor_id", STRING, NULL, "The visitor, 16 hexadecimal digits.")                         \
    F(VISITOR_ID_SOURCE, "visitor_id_source", STRING, NULL,                                                  \
      "Where visitor_id comes from: uid, cid, cookie, _id or generated.")                                    \
    F(VISIT_ID, "visit_id", STRING, NULL, "The visit that the hit belongs to, 16 hexadecimal digits.")       \
    F(IS_NEW_VISIT, "is_new_visit", BOOL, NULL, "The hit began its visit.")                                  \
    F(CLIENT_VISITOR_ID, "client_visitor_id", STRING, "_id",                                                 \
      "First-party visitor id as the client sent it.")                                                       \
    F(FORCED_VISITOR_ID, "forced_visitor_id", STRING, "cid", "Visitor id that the client forced.")           \
    F(USER_ID, "user_id", STRING, "uid", "The site's own name for the user.")                                \
    F(NEW_VISIT, "is_new_visit_forced", BOOL, "new_visit", "The client asked for a new visit.")              \
    F(IS_NEW_VISITOR, "is_new_visitor", BOOL, "_idn", "The client made its visitor id for this very hit.")   \
    F(RANDOM_PART, "random_part", INT, "r", "Random number against caches.")                                 \
    F(CREATED_TS, "visitor_id_created_ts", INT, "_idts", "When the visitor id was created, unix seconds.")   \
    F(VISIT_COUNT, "visitor_visit_count", INT, "_idvc", "Visits of this visitor as the client counts them.") \
    F(REFERRAL_TS, "referral_ts", INT, "_refts", "When the attributed referrer was seen, unix seconds.")     \
    F(REFERRAL_URL, "referral_url", STRING, "urlref", "Referrer of the page.")                               \
    F(LAST_VISIT_TS, "visitor_last_visit_ts", INT, "_viewts",                                                \
      "When the visitor's former visit was, unix seconds.")                                                  \
    F(RESOLUTIONS, "display_resolutions", STRING, "res", "Size of the screen, WIDTHxHEIGHT.")                \
    F(LANGUAGE, "language", STRING, "lang", "Language parameter, else the Accept-Language header.")          \
    F(GENERATION_MS, "performance_generation_time_ms", INT, "gt_ms", "Page generation time, milliseconds.")  \
    F(PAGE_VIEW_ID, "page_view_id", STRING, "pv_id", "Ties later hits to their page view.")                  \
    F(PAGE_VIEW_URL, "page_view_url", STRING, "url", "URL of the page as it was sent.")                      \
    F(PAGE_URL_NORMALIZED, "page_view_url_normalized", STRING, NULL,                                         \
      "URL of the page without fragment, campaign and session parameters, host in lower case.")              \
    F(ACTION_NAME, "action_name", STRING, "action_name", "Title of the page.")                               \
    F(IP, "ip", STRING, "cip", "Address of the client.")                                                     \
    F(USER_AGENT, "user_agent", STRING, "ua", "User agent parameter, else the header.")                      \
    F(SILVERLIGHT, "supports_silverlight", BOOL, "ag", "The browser has Silverlight.")                       \
    F(COOKIE, "supports_cookie", BOOL, "cookie", "The browser takes cookies.")                               \
    F(DIRECTOR, "supports_director", BOOL, "dir", "The browser has Director.")                               \
    F(FLASH, "supports_flash", BOOL, "fla", "The browser has Flash.")                                        \
    F(GEARS, "supports_gears", BOOL, "gears", "The browser has Gears.")                                      \
    F(JAVA, "supports_java", BOOL, "java", "The browser has Java.")                                          \
    F(PDF, "supports_pdf", BOOL, "pdf", "The browser shows PDF.")                                            \
    F(QUICKTIME, "supports_quicktime", BOOL, "qt", "The browser has QuickTime.")                             \
    F(MPLAYER2, "supports_mplayer2", BOOL, "wma", "The browser has Windows Media Player.")                   \
    F(REALAUDIO, "supports_realaudio", BOOL, "realp", "The browser has RealPlayer.")                         \
    F(SEND_IMAGE, "send_image", BOOL, "send_image", "The client wants an image as the answer.")              \
    F(EVENT_CATEGORY, "event_category", STRING, "e_c", "Category of the event.")                             \
    F(EVENT_ACTION, "event_action", STRING, "e_a", "Action of the event.")                                   \
    F(EVENT_NAME, "event_value_name", STRING, "e_n", "Name of the event.")                                   \
    F(EVENT_VALUE, "event_value_numeric", DOUBLE, "e_v", "Value of the event.")                              \
    F(REFERRAL_URL_NORMALIZED, "referral_url_normalized", STRING, NULL,                                      \
      "Referrer of the page, at most 1500 bytes, without what search engines add for themselves.")           \
    F(REFERRER_TYPE, "referrer_type", STRING, NULL,                                                          \
      "Where the visitor comes from: direct, search, website, campaign, social or ai_assistant.")            \
    F(REFERRER_NAME, "referrer_name", STRING, NULL,                                                          \
      "Name of the search engine, network or campaign, host of the website.")                                \
    F(REFERRER_KEYWORD, "referrer_keyword", STRING, NULL,                                                    \
      "What was searched for, or the keyword of the campaign, lower case.")                                  \
    F(CAMPAIGN_NAME, "campaign_name", STRING, NULL,                                                          \
      "Campaign, from the page's URL or its own parameter, lower case.")                                     \
    F(CAMPAIGN_KEYWORD, "campaign_keyword", STRING, NULL, "Keyword of the campaign, lower case.")            \
    F(CAMPAIGN_SOURCE, "campaign_source", STRING, NULL, "Source of the campaign.")                           \
    F(CAMPAIGN_MEDIUM, "campaign_medium", STRING, NULL, "Medium of the campaign.")                           \
    F(CAMPAIGN_CONTENT, "campaign_content", STRING, NULL, "Content of the campaign.")                        \
    F(CAMPAIGN_ID, "campaign_id", STRING, NULL, "Id of the campaign.")                                       \
    F(CAMPAIGN_GROUP, "campaign_group", STRING, NULL, "Group of the campaign.")                              \
    F(CAMPAIGN_PLACEMENT, "campaign_placement", STRING, NULL, "Placement of the campaign.")                  \
    F(ATTRIBUTION_NAME, "attribution_campaign_name", STRING, "_rcn",                                         \
      "Campaign that the client attributes a conversion to.")                                                \
    F(ATTRIBUTION_KEYWORD, "attribution_campaign_keyword", STRING, "_rck", "Keyword of that campaign.")      \
    F(ATTRIBUTION_URL, "attribution_referral_url", STRING, "_ref",                                           \
      "Referrer that the client attributes a conversion to.")                                                \
    F(CONTENT_NAME, "content_name", STRING, "c_n", "Name of the content block.")                             \
    F(CONTENT_PIECE, "content_piece", STRING, "c_p", "Piece of the content block.")                          \
    F(CONTENT_TARGET, "content_target", STRING, "c_t", "Target of the content block.")                       \
    F(CONTENT_INTERACTION, "content_interaction", STRING, "c_i", "How the visitor used the content block.")  \
    F(OUTLINK_URL, "outlink_url", STRING, "link", "Link to elsewhere that was followed.")                    \
    F(DOWNLOAD_URL, "download_url", STRING, "download", "File that was downloaded.")                         \
    F(SEARCH_KEYWORD, "search_keyword", STRING, "search",                                                    \
      "What was searched on the site; also found in the page's URL.")                                        \
    F(SEARCH_CATEGORY, "search_category", STRING, "search_cat", "Category of the search.")                   \
    F(SEARCH_COUNT, "search_count", INT, "search_count", "Number of results of the search.")                 \
    F(GOAL_ID, "goal_id", INT, "idgoal", "Goal that was converted; 0 is an order or a cart.")                \
    F(GOALS_MET, "goals_met", JSON, NULL,                                                                    \
      "Ids of the site's goals that the hit meets by its URL, title, file or event.")                        \
    F(REVENUE, "revenue", DOUBLE, "revenue", "Revenue of the goal, total of the order or cart.")             \
    F(ORDER_ID, "order_id", STRING, "ec_id", "Id of the order.")                                             \
    F(ORDER_SUBTOTAL, "order_subtotal", DOUBLE, "ec_st", "Order without tax and shipping.")                  \
    F(ORDER_TAX, "order_tax", DOUBLE, "ec_tx", "Tax of the order.")                                          \
    F(ORDER_SHIPPING, "order_shipping", DOUBLE, "ec_sh", "Shipping of the order.")                           \
    F(ORDER_DISCOUNT, "order_discount", DOUBLE, "ec_dt", "Discount on the order.")                           \
    F(ORDER_ITEMS, "order_items", JSON, "ec_items",                                                          \
      "Items of the order or cart: sku, name, categories, price, quantity.")                                 \
    F(PRODUCT_SKU, "product_sku", STRING, "_pks", "Product of a product page.")                              \
    F(PRODUCT_NAME, "product_name", STRING, "_pkn", "Name of that product.")                                 \
    F(PRODUCT_CATEGORIES, "product_categories", STRING, "_pkc",                                              \
      "Category of that product, or a JSON list of them.")                                                   \
    F(PRODUCT_PRICE, "product_price", DOUBLE, "_pkp", "Price of that product.")                              \
    MATOMO_DIMENSIONS(F)                                                                                     \
    F(CVAR_VISIT, "custom_vars_visit", JSON, "_cvar", "Custom variables of the visit.")                      \
    F(CVAR_PAGE, "custom_vars_page", JSON, "cvar", "Custom variables of the page.")                          \
    F(CVAR_EVENT, "custom_vars_event", JSON, "e_cvar", "Custom variables of the event.")                     \
    F(PF_NETWORK, "perf_network_ms", INT, "pf_net", "Network time, milliseconds.")                           \
    F(PF_SERVER, "perf_server_ms", INT, "pf_srv", "Server time, milliseconds.")                              \
    F(PF_TRANSFER, "perf_transfer_ms", INT, "pf_tfr", "Transfer time, milliseconds.")                        \
    F(PF_DOM_PROCESSING, "perf_dom_processing_ms", INT, "pf_dm1", "DOM processing time, milliseconds.")      \
    F(PF_DOM_COMPLETION, "perf_dom_completion_ms", INT, "pf_dm2", "DOM completion time, milliseconds.")      \
    F(PF_ONLOAD, "perf_onload_ms", INT, "pf_onl", "Time of the onload handlers, milliseconds.")              \
    F(LOCAL_TIME, "local_time", STRING, "h", "The visitor's clock, HH:MM:SS.")                               \
    F(PAGE_CHARSET, "page_charset", STRING, "cs", "Character set of the page.")                              \
    F(CLIENT_HINTS, "client_hints", JSON, "uadata",                                                          \
      "User agent client hints, of the parameter or the Sec-CH-UA headers.")                                 \
    F(MEDIA_ID, "media_id", STRING, "ma_id", "Id of one play of a medium.")                                  \
    F(MEDIA_RESOURCE, "media_resource", STRING, "ma_re", "URL of the medium.")                               \
    F(MEDIA_TYPE, "media_type", STRING, "ma_mt", "video or audio.")                                          \
    F(MEDIA_TITLE, "media_title", STRING, "ma_ti", "Title of the medium.")                                   \
    F(MEDIA_PLAYER, "media_player", STRING, "ma_pn", "Name of the player.")                                  \
    F(MEDIA_PLAYED, "media_seconds_played", INT, "ma_st", "Seconds played; 0 is an impression.")             \
    F(MEDIA_LENGTH, "media_length_seconds", INT, "ma_le", "Length, seconds.")                                \
    F(MEDIA_POSITION, "media_position_seconds", INT, "ma_ps", "Position, seconds.")                          \
    F(MEDIA_TIME_TO_PLAY, "media_seconds_to_play", INT, "ma_ttp", "Seconds until it was played.")            \
    F(MEDIA_WIDTH, "media_width", INT, "ma_w", "Width of the player, pixels.")                               \
    F(MEDIA_HEIGHT, "media_height", INT, "ma_h", "Height of the player, pixels.")                            \
    F(MEDIA_FULLSCREEN, "media_fullscreen", BOOL, "ma_fs", "The player filled the screen.")                  \
    F(MEDIA_SEGMENTS, "media_segments", STRING, "ma_se",                                                     \
      "Positions that were played, comma separated seconds.")                                                \
    F(CRASH_MESSAGE, "crash_message", STRING, "cra", "Message of a crash.")                                  \
    F(CRASH_STACK, "crash_stack", STRING, "cra_st", "Stack trace of the crash.")                             \
    F(CRASH_CATEGORY, "crash_category", STRING, "cra_ct", "Category of the crash.")                          \
    F(CRASH_TYPE, "crash_type", STRING, "cra_tp", "Type of the crash.")                                      \
    F(CRASH_SOURCE, "crash_source", STRING, "cra_ru", "URI of the source that crashed.")                     \
    F(CRASH_LINE, "crash_line", INT, "cra_rl", "Line in that source.")                                       \
    F(CRASH_COLUMN, "crash_column", INT, "cra_rc", "Column in that source.")                                 \
    F(IS_PING, "is_ping", BOOL, "ping", "A heartbeat: extends the visit, counts nothing.")                   \
    F(IS_BOT, "is_bot", BOOL, "recMode", "The client says that a bot made this hit.")                        \
    F(BOTS_ALLOWED, "bots_allowed", BOOL, "bots",                                                            \
      "The client wants the hit to be kept as any other though a bot made it.")                              \
    F(HTTP_STATUS, "http_status", INT, "http_status",                                                        \
      "Status of the page that a log importer or bot tracker saw.")                                          \
    F(RESPONSE_BYTES, "response_bytes", INT, "bw_bytes", "Size of that page, bytes.")                        \
    F(CUSTOM_DATA, "custom_data", JSON, "data", "Custom data of the tracker.")                               \
    F(TRANSPORT, "transport", STRING, NULL, "How the hit came: get, post or bulk.")                          \
    F(BULK_INDEX, "bulk_index", INT, NULL, "Place in its bulk request, from 0.")                             \
    F(EXTRA_PARAMS, "extra_params", JSON, NULL, "Parameters that have no field of their own, name to text.") \
    F(GEO_CITY, "geo_info.city", STRING, "city", "City.")                                                    \
    F(GEO_REGION, "geo_info.region", STRING, "region", "Region, by name; as sent where the client sent it.") \
    F(GEO_COUNTRY, "geo_info.country", STRING, "country", "Country, two letters of ISO 3166-1.")             \
    F(GEO_LONGITUDE, "geo_info.loc.longitude", DOUBLE, "long", "Longitude, degrees.")                        \
    F(GEO_LATITUDE, "geo_info.loc.latitude", DOUBLE, "lat", "Latitude, degrees.")

#define MATOMO_DIMENSION_MAX 20u
#define MATOMO_DIMENSION(F, n)                                                                               \
    F(DIMENSION##n, "dimension" #n, STRING, "dimension" #n, "Custom dimension " #n ".")
#define MATOMO_DIMENSIONS(F)                                                                                 \
    MATOMO_DIMENSION(F, 1)                                                                                   \
    MATOMO_DIMENSION(F, 2)                                                                                   \
    MATOMO_DIMENSION(F, 3)                                                                                   \
    MATOMO_DIMENSION(F, 4)                                                                                   \
    MATOMO_DIMENSION(F, 5)                                                                                   \
    MATOMO_DIMENSION(F, 6)                                                                                   \
    MATOMO_DIMENSION(F, 7)                                                                                   \
    MATOMO_DIMENSION(F, 8)                                                                                   \
    MATOMO_DIMENSION(F, 9)                                                                                   \
    MATOMO_DIMENSION(F, 10)                                                                                  \
    MATOMO_DIMENSION(F, 11)                                                                                  \
    MATOMO_DIMENSION(F, 12)                                                                                  \
    MATOMO_DIMENSION(F, 13)                                                                                  \
    MATOMO_DIMENSION(F, 14)                                                                                  \
    MATOMO_DIMENSION(F, 15)                                                                                  \
    MATOMO_DIMENSION(F, 16)                                                                                  \
    MATOMO_DIMENSION(F, 17) MATOMO_DIMENSION(F, 18) MATOMO_DIMENSION(F, 19) MATOMO_DIMENSION(F, 20)

#define MATOMO_FIELD_ENUM(id, name, type, source, doc) FIELD_##id,
enum matomo_field { MATOMO_FIELDS(MATOMO_FIELD_ENUM) FIELD_COUNT };

/* Raise with every change above. */
#define MATOMO_SCHEMA_REV 2u

extern const ss_field matomo_fields[FIELD_COUNT + 1];

#endif
