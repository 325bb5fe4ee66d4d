using Dapr.Workflow;
using DaprPlatform.Benchmarks.Workflow;

if (args is ["drive", .. var options])
{
    await Drive.RunAsync(options);
    return;
}

var builder = WebApplication.CreateBuilder(args);
builder.Logging.SetMinimumLevel(LogLevel.Warning);
builder.WebHost.UseUrls($"http://127.0.0.1:{builder.Configuration["APP_PORT"]}");
builder.Services.AddDaprWorkflow(Shapes.Register);

var app = builder.Build();
app.MapGet("/health/ready", () => TypedResults.Ok());
app.MapPost("/run", (string shape, int count, int clients, DaprWorkflowClient client, CancellationToken cancel) => Load.RunAsync(client, shape, count, clients, cancel));
await app.RunAsync();
