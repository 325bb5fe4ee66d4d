using DaprPlatform.Gateway.Api;
using DaprPlatform.Gateway.Web;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("gateway", appPort: 8080, metricsPort: 8081, AppProtocol.Http);
builder.Services.AddRemoteServices();
RateLimits.AddTo(builder);
BrowserSessions.AddTo(builder);
Storefront.AddTo(builder);

var app = builder.Build();
app.UseServiceDefaults();
app.UseRateLimiter();
app.UseStorefront();
app.MapAccountsApi();
app.MapBrowserSessionApi();
app.MapCatalogApi();
app.MapBasketApi();
app.MapOrderBookApi();
app.MapOrderEventsApi();
app.MapCashDeskApi();
app.MapPayApi();
app.MapNotificationsApi();
app.MapWebhooksApi();
app.Run();
