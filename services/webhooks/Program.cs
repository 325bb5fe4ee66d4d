using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.Webhooks.Api;
using DaprPlatform.Webhooks.Data;
using DaprPlatform.Webhooks.Domain;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("webhooks", appPort: 50056, metricsPort: 9089);
builder.AddServiceDatabase<WebhooksDb>();
builder.Services.AddWebhooks(builder.Configuration);

var app = builder.Build();
app.UseServiceDefaults();
app.MapAppCallbacks();
app.MapGrpcService<WebhooksRpc>();
app.MapWebhooksApi();
app.Run();
