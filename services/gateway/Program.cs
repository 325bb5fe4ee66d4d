using DaprPlatform.Gateway.Api;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("gateway", appPort: 8080, metricsPort: 8081, AppProtocol.Http);
builder.Services.AddRemoteServices();

var app = builder.Build();
app.UseServiceDefaults();
app.MapAccountsApi();
app.MapCatalogApi();
app.MapOrderBookApi();
app.MapCashDeskApi();
app.MapPayApi();
app.MapNotificationsApi();
app.Run();
