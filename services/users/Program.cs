using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Rpc;
using DaprPlatform.Users.Api;
using DaprPlatform.Users.Data;
using DaprPlatform.Users.Domain;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddSingleton<SigningKeys>();
builder.Services.AddSingleton<IVerificationKeys>(provider => provider.GetRequiredService<SigningKeys>());
builder.AddServiceDefaults("users", appPort: 50051, metricsPort: 9091);
builder.AddServiceDatabase<UsersDb>(SeedAdmin.ApplyAsync);
builder.Services.AddSingleton(AccountOptions.From(builder.Configuration));
builder.Services.AddSingleton<PasswordHasher>();
builder.Services.AddSingleton<RefreshTokens>();
builder.Services.AddSingleton<UserMetrics>();
builder.Services.AddScoped<IAccounts, Accounts>();
builder.Services.AllowAnonymousRpc("daprplatform.users.v1.Users", "Register", "Login", "Refresh", "Logout", "GetKeys");

var app = builder.Build();
app.UseServiceDefaults();
app.MapAppCallbacks();
app.MapGrpcService<UsersRpc>();
app.MapGrpcService<ContactsRpc>().RequireAuthorization(Policies.CalledByNotifications);
app.MapAccountsApi();
app.Run();
