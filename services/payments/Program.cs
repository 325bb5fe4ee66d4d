using DaprPlatform.Payments.Api;
using DaprPlatform.Payments.Data;
using DaprPlatform.Payments.Domain;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Rpc;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("payments", appPort: 50054, metricsPort: 9097);
builder.AddServiceDatabase<PaymentsDb>();
builder.Services.AddPayments(builder.Configuration);
builder.Services.AllowAnonymousRpc("daprplatform.payments.v1.Payments", "ListMethods", "ListTestCards");

var app = builder.Build();
app.UseServiceDefaults();
app.MapAppCallbacks();
app.MapGrpcService<PaymentsRpc>();
app.MapGrpcService<ChargesRpc>().RequireAuthorization(Policies.CalledByOrders);
app.MapCashDeskApi();
app.Run();
